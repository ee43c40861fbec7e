#include "store/store_gauges.h"

#include <utility>

#include "registry/base/repeat.h"

namespace outport::store {

StoreGauges::StoreGauges(const MetaStore& meta, BlobStore& bytes, BlockingPool& disk,
                         Metrics& metrics)
    : meta_(meta),
      bytes_(bytes),
      disk_(disk),
      sequence_(metrics.Gauge("outport_store_sequence",
                              "Sequence of the last record of the change log.")),
      free_bytes_(metrics.Gauge("outport_store_disk_free_bytes",
                                "Free bytes on the file system of the blobs.")) {}

net::awaitable<void> StoreGauges::FollowUntilCancelled() {
  auto refresh = [this] { return Refresh(); };
  co_await RepeatUntilCancelled(std::chrono::seconds(1), std::move(refresh));
}

net::awaitable<void> StoreGauges::Refresh() {
  const Result<LogPosition> head = meta_.Head();
  if (head.has_value()) sequence_.Set(static_cast<double>(head->sequence));
  auto ask = [this] { return bytes_.FreeBytes(); };
  const Result<uint64_t> free_bytes = co_await Blocking(disk_, std::move(ask));
  if (free_bytes.has_value()) free_bytes_.Set(static_cast<double>(*free_bytes));
}

}  // namespace outport::store
