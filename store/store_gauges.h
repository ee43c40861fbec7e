#pragma once

#include <boost/asio/awaitable.hpp>

#include "registry/base/blocking_pool.h"
#include "registry/base/metrics.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Sets the gauges for the head of the change log and the free disk space. The referenced objects
// outlive this object.
class StoreGauges {
 public:
  StoreGauges(const MetaStore& meta, BlobStore& bytes, BlockingPool& disk, Metrics& metrics);

  // Updates the gauges every second until the coroutine is cancelled.
  net::awaitable<void> FollowUntilCancelled();

 private:
  net::awaitable<void> Refresh();

  const MetaStore& meta_;
  BlobStore& bytes_;
  BlockingPool& disk_;
  prometheus::Gauge& sequence_;
  prometheus::Gauge& free_bytes_;
};

}  // namespace outport::store
