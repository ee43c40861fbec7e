#include "store/relayed_body.h"

#include <algorithm>
#include <cstring>

namespace outport::store {
namespace {

constexpr size_t kMaxPartBytes = 1 << 20;

}  // namespace

net::awaitable<Result<size_t>> RelayedBody::Read(MutableBytes buffer) {
  if (!failure_.has_value() && !ended_ && consumed_ == part_.data().size()) {
    const Result<void> next = co_await NextPart();
    if (!next.has_value()) failure_ = next.error();
  }
  if (failure_.has_value()) co_return *failure_;
  const size_t size = std::min(buffer.size(), part_.data().size() - consumed_);
  if (size > 0) std::memcpy(buffer.data(), part_.data().data() + consumed_, size);
  consumed_ += size;
  co_return size;
}

net::awaitable<Result<void>> RelayedBody::NextPart() {
  if (length_ == 0) {
    ended_ = true;
    co_return Result<void>();
  }
  if (!proceeding_) {
    proceeding_ = true;
    v1::UploadAnswer answer;
    answer.mutable_proceed();
    const bool told = co_await stream_.Write(answer, limit_);
    if (!told) co_return Error{ErrorCode::kCancelled, "the node that relays the upload left"};
  }
  do {
    consumed_ = 0;
    const bool came = co_await stream_.Read(part_, limit_);
    if (!came) {
      part_.Clear();
      co_return Error{ErrorCode::kCancelled,
                      "the node that relays the upload left, or sent nothing for too long"};
    }
    CO_TRY_VOID(Take());
  } while (!ended_ && part_.data().empty());
  co_return Result<void>();
}

Result<void> RelayedBody::Take() {
  received_ += part_.data().size();
  ended_ = part_.has_end();
  if (part_.end().cut()) {
    return Error{ErrorCode::kCancelled, "the client closed the connection before the body's end"};
  }
  const bool fits =
      part_.data().size() <= kMaxPartBytes && received_ <= length_.value_or(received_);
  if (!fits || (ended_ && received_ != length_.value_or(received_))) {
    return Error{ErrorCode::kInvalidArgument, "the node relays another body than it announced"};
  }
  return {};
}

}  // namespace outport::store
