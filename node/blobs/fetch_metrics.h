#pragma once

#include "registry/base/metrics.h"

namespace outport::node {

// The metrics of a node's blob cache and blob fetches.
struct FetchMetrics {
  explicit FetchMetrics(Metrics& metrics);

  prometheus::Counter& started;
  prometheus::Counter& finished;
  prometheus::Counter& failed;
  prometheus::Counter& given_up;
  prometheus::Counter& resumed;
  prometheus::Counter& bytes;
  prometheus::Gauge& running;
  prometheus::Gauge& waiting_readers;
  prometheus::Counter& passed_no_space;
  prometheus::Counter& passed_ahead;
  prometheus::Counter& corrupt_chunk;
  prometheus::Counter& corrupt_digest;
  prometheus::Counter& corrupt_copy;
  prometheus::Counter& hits;
  prometheus::Counter& dropped_tombstone;
  prometheus::Counter& dropped_unlinked;
};

}  // namespace outport::node
