#include "store/relay/relayed_body.h"

#include <algorithm>
#include <cstring>

namespace outport::store {
namespace {

constexpr size_t kMaxPartBytes = 1 << 20;
// The credit of all relayed bodies together, and the maximum for one body.
constexpr uint64_t kTotalCreditBytes = 48 << 20;
constexpr uint64_t kMaxCreditBytes = 8 << 20;

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
    CO_TRY_VOID(co_await GrantCredit());
    const bool came = co_await stream_.Read(part_, limit_);
    if (!came) {
      part_.Clear();
      co_return Error{ErrorCode::kCancelled,
                      "the node that relays the upload closed the stream or sent nothing in time"};
    }
    CO_TRY_VOID(AcceptPart());
  } while (!ended_ && part_.data().empty());
  co_return Result<void>();
}

net::awaitable<Result<void>> RelayedBody::GrantCredit() {
  const uint64_t credit =
      std::clamp<uint64_t>(kTotalCreditBytes / bodies_.load(), kMaxPartBytes, kMaxCreditBytes);
  // The unused credit must always cover the largest part. Otherwise the node would wait for credit,
  // and the store for a part.
  if (granted_ >= received_ + std::max(credit / 2, uint64_t{kMaxPartBytes})) {
    co_return Result<void>();
  }
  granted_ = received_ + credit;
  v1::UploadAnswer answer;
  answer.mutable_proceed()->set_until(granted_);
  if (co_await stream_.Write(answer, limit_)) co_return Result<void>();
  co_return Error{ErrorCode::kCancelled, "the node that relays the upload closed the stream"};
}

Result<void> RelayedBody::AcceptPart() {
  TRY_VOID(recheck_());
  received_ += part_.data().size();
  ended_ = part_.has_end();
  if (part_.end().truncated()) {
    return Error{ErrorCode::kCancelled, "the client closed the connection before the body's end"};
  }
  const bool fits = part_.data().size() <= kMaxPartBytes &&
                    received_ <= std::min(granted_, length_.value_or(granted_));
  if (!fits || (ended_ && received_ != length_.value_or(received_))) {
    return Error{ErrorCode::kInvalidArgument,
                 "the node relays more or fewer bytes than it announced or has credit for"};
  }
  return {};
}

}  // namespace outport::store
