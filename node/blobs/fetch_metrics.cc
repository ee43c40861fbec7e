#include "node/blobs/fetch_metrics.h"

namespace outport::node {
namespace {

constexpr char kPassed[] = "outport_node_blob_passthroughs_total";
constexpr char kPassedHelp[] = "Blobs, or ranges, streamed from the store for one reader alone.";
constexpr char kCorrupt[] = "outport_node_blob_corrupt_total";
constexpr char kCorruptHelp[] = "Bytes of blobs that were not what their checksum or digest says.";

}  // namespace

FetchMetrics::FetchMetrics(Metrics& metrics)
    : started(metrics.Counter("outport_node_fetches_started_total", "Fetches of blobs begun.")),
      finished(metrics.Counter("outport_node_fetches_finished_total",
                               "Fetches of blobs that arrived whole and verified.")),
      failed(metrics.Counter("outport_node_fetches_failed_total", "Fetches of blobs that failed.")),
      given_up(metrics.Counter("outport_node_fetches_given_up_total",
                               "Fetches of blobs that every reader left early.")),
      resumed(metrics.Counter("outport_node_fetches_resumed_total",
                              "Broken streams resumed where they broke.")),
      bytes(metrics.Counter("outport_node_fetched_bytes_total", "Bytes of blobs fetched.")),
      running(metrics.Gauge("outport_node_fetches", "Fetches waiting or running now.")),
      waiting_readers(metrics.Gauge("outport_node_blob_waiting_readers",
                                    "Readers waiting for bytes of a running fetch.")),
      passed_no_space(metrics.Counter(kPassed, kPassedHelp, {{"reason", "no_space"}})),
      passed_ahead(metrics.Counter(kPassed, kPassedHelp, {{"reason", "far_ahead"}})),
      corrupt_chunk(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "chunk"}})),
      corrupt_digest(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "digest"}})),
      corrupt_copy(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "cached_copy"}})),
      hits(metrics.Counter("outport_node_blob_hits_total", "Blobs opened from the cache.")) {}

}  // namespace outport::node
