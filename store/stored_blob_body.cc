#include "store/stored_blob_body.h"

#include <algorithm>
#include <utility>

namespace outport::store {

StoredBlobBody::StoredBlobBody(Parts parts, Blobs::Opened opened)
    : parts_(parts), opened_(std::move(opened)) {}

net::awaitable<Result<Bytes>> StoredBlobBody::Read(uint64_t offset, uint64_t at_most) {
  if (block_.At(offset).empty()) {
    const Result<void> loaded =
        co_await block_.Load(opened_.reader, parts_.disk, offset, info().size_bytes);
    if (!loaded.has_value() && loaded.error().code == ErrorCode::kCorrupt) {
      co_await parts_.blobs.QuarantineCorrupt(parts_.disk, info().digest,
                                              opened_.blob.location.object, loaded.error());
    }
    CO_TRY_VOID(loaded);
  }
  const Bytes held = block_.At(offset);
  co_return held.first(static_cast<size_t>(std::min<uint64_t>(held.size(), at_most)));
}

}  // namespace outport::store
