#include "store/relay/relayed_body.h"

#include <algorithm>
#include <cstring>

namespace outport::store {
namespace {

constexpr size_t kMaxPartBytes = 1 << 20;
// What all bodies together may have under way, and each of them.
constexpr uint64_t kWindows = 48 << 20;
constexpr uint64_t kLargestWindow = 8 << 20;

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
  do {
    consumed_ = 0;
    CO_TRY_VOID(co_await Grant());
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

net::awaitable<Result<void>> RelayedBody::Grant() {
  const uint64_t window =
      std::clamp<uint64_t>(kWindows / bodies_.load(), kMaxPartBytes, kLargestWindow);
  // The largest part must fit, or both sides wait for each other.
  if (granted_ >= received_ + std::max(window / 2, uint64_t{kMaxPartBytes})) {
    co_return Result<void>();
  }
  granted_ = received_ + window;
  v1::UploadAnswer answer;
  answer.mutable_proceed()->set_until(granted_);
  if (co_await stream_.Write(answer, limit_)) co_return Result<void>();
  co_return Error{ErrorCode::kCancelled, "the node that relays the upload left"};
}

Result<void> RelayedBody::Take() {
  TRY_VOID(allowed_());
  received_ += part_.data().size();
  ended_ = part_.has_end();
  if (part_.end().cut()) {
    return Error{ErrorCode::kCancelled, "the client closed the connection before the body's end"};
  }
  const bool fits = part_.data().size() <= kMaxPartBytes &&
                    received_ <= std::min(granted_, length_.value_or(granted_));
  if (!fits || (ended_ && received_ != length_.value_or(received_))) {
    return Error{ErrorCode::kInvalidArgument, "the node relays another body than it announced"};
  }
  return {};
}

}  // namespace outport::store
