#include "store/stored_blob_body.h"

#include <prometheus/counter.h>

#include <algorithm>
#include <utility>

namespace outport::store {

StoredBlobBody::StoredBlobBody(Parts parts, Blobs::Opened opened)
    : parts_(parts), opened_(std::move(opened)) {}

net::awaitable<Result<Bytes>> StoredBlobBody::Read(uint64_t offset, uint64_t at_most) {
  if (block_.At(offset).empty()) {
    const Result<void> loaded =
        co_await block_.Load(opened_.reader, parts_.disk, offset, info().size_bytes);
    if (!loaded.has_value()) co_return co_await Failed(loaded.error());
  }
  const Bytes held = block_.At(offset);
  co_return held.first(static_cast<size_t>(std::min<uint64_t>(held.size(), at_most)));
}

net::awaitable<Error> StoredBlobBody::Failed(Error error) {
  if (error.code != ErrorCode::kCorrupt) co_return error;
  parts_.corrupt.Increment();
  auto quarantine = [&blobs = parts_.blobs, blob = opened_.blob] {
    return blobs.Quarantine(blob.info.digest, blob.location.object);
  };
  const Result<void> quarantined = co_await BlockingUnderWay(parts_.disk, std::move(quarantine));
  if (!quarantined.has_value()) {
    error.message += "; quarantining it: " + quarantined.error().message;
  }
  co_return error;
}

}  // namespace outport::store
