#include "node/blobs/fetch_metrics.h"

namespace outport::node {
namespace {

constexpr char kPassed[] = "outport_node_blob_pass_throughs_total";
constexpr char kPassedHelp[] =
    "Blobs or ranges streamed from the store to one client without caching.";
constexpr char kCorrupt[] = "outport_node_blobs_corrupt_total";
constexpr char kDropped[] = "outport_node_blobs_dropped_total";
constexpr char kDroppedHelp[] = "Copies of blobs dropped because no repository links the blob.";
constexpr char kCorruptHelp[] = "Blob data that did not match its checksum or digest.";

}  // namespace

FetchMetrics::FetchMetrics(Metrics& metrics)
    : started(metrics.Counter("outport_node_fetches_started_total", "Blob fetches started.")),
      finished(metrics.Counter("outport_node_fetches_completed_total",
                               "Blob fetches completed and verified.")),
      failed(metrics.Counter("outport_node_fetches_failed_total", "Blob fetches failed.")),
      given_up(metrics.Counter("outport_node_fetches_abandoned_total",
                               "Blob fetches abandoned because every reader left.")),
      resumed(metrics.Counter("outport_node_fetches_resumed_total",
                              "Broken blob streams resumed at the last received byte.")),
      bytes(metrics.Counter("outport_node_fetched_bytes_total",
                            "Bytes of blobs fetched from the store.")),
      running(
          metrics.Gauge("outport_node_fetches_in_progress", "Blob fetches waiting or running.")),
      waiting_readers(metrics.Gauge("outport_node_blob_waiting_readers",
                                    "Readers waiting for bytes of a fetch in progress.")),
      passed_no_space(metrics.Counter(kPassed, kPassedHelp, {{"reason", "no_space"}})),
      passed_ahead(metrics.Counter(kPassed, kPassedHelp, {{"reason", "far_ahead"}})),
      corrupt_chunk(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "chunk"}})),
      corrupt_digest(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "digest"}})),
      corrupt_copy(metrics.Counter(kCorrupt, kCorruptHelp, {{"where", "cached_copy"}})),
      hits(metrics.Counter("outport_node_blob_cache_hits_total", "Blobs served from the cache.")),
      dropped_tombstone(metrics.Counter(kDropped, kDroppedHelp, {{"reason", "tombstone"}})),
      dropped_unlinked(metrics.Counter(kDropped, kDroppedHelp, {{"reason", "unlinked"}})) {}

}  // namespace outport::node
