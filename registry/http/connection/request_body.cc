#include "registry/http/connection/request_body.h"

#include <algorithm>
#include <array>

namespace outport::http {
namespace {

constexpr uint64_t kDrainBytes = 64 << 10;

std::optional<uint64_t> LengthOf(const RequestHead& head) {
  if (head.chunked) return std::nullopt;
  return head.content_length.value_or(0);
}

}  // namespace

RequestBody::RequestBody(Connection& connection, const RequestHead& head)
    : connection_(connection),
      chunked_(head.chunked),
      length_(LengthOf(head)),
      remaining_(length_.value_or(0)),
      awaits_continue_(head.expects_continue) {}

Error RequestBody::Truncated() {
  failed_ = true;
  return Error{ErrorCode::kMalformedRequest,
               "the connection ended before the end of the request's body"};
}

net::awaitable<Result<size_t>> RequestBody::Read(MutableBytes buffer) {
  if (failed_) co_return Truncated();
  if (finished() || buffer.empty()) co_return size_t{0};
  if (awaits_continue_) {
    awaits_continue_ = false;
    connection_.stream().Append("HTTP/1.1 100 Continue\r\n\r\n");
    CO_TRY_VOID(co_await connection_.stream().Flush());
  }
  if (chunked_) co_return co_await ReadChunked(buffer);
  const size_t most = static_cast<size_t>(std::min<uint64_t>(buffer.size(), remaining_));
  const Result<size_t> got = co_await connection_.ReadBody(buffer.first(most));
  failed_ = !got.has_value();
  if (got.has_value() && *got == 0) co_return Truncated();
  if (got.has_value()) remaining_ -= *got;
  co_return got;
}

net::awaitable<Result<size_t>> RequestBody::ReadChunked(MutableBytes buffer) {
  for (;;) {
    const Result<size_t> got = co_await connection_.ReadBody(buffer);
    failed_ = !got.has_value();
    if (failed_) co_return got;
    if (*got == 0) co_return Truncated();
    const Result<size_t> content = Decode(buffer.first(*got));
    if (!content.has_value() || *content > 0 || chunks_.finished()) co_return content;
  }
}

Result<size_t> RequestBody::Decode(MutableBytes received) {
  const auto step = chunks_.Decode(received);
  failed_ = !step.has_value();
  if (failed_) return step.error();
  if (step->consumed < received.size()) {
    connection_.Unread(Bytes(received).subspan(step->consumed));
  }
  return step->produced;
}

void RequestBody::DiscardBuffered() {
  std::array<std::byte, 8 << 10> trash;
  while (chunked_ && !awaits_continue_ && !failed_ && !finished()) {
    const size_t size = connection_.ReadBuffered(trash);
    if (size == 0) return;
    const Result<size_t> ignored = Decode(MutableBytes(trash).first(size));
    (void)ignored;  // a malformed body is no error here: it ends the connection
  }
}

bool RequestBody::may_be_drained() const {
  if (failed_) return false;
  return finished() || (!chunked_ && remaining_ <= kDrainBytes && !awaits_continue_);
}

net::awaitable<Result<void>> RequestBody::Drain() {
  std::array<std::byte, 8 << 10> trash;
  while (!finished()) {
    const Result<size_t> got = co_await Read(trash);
    if (!got.has_value()) co_return got.error();
  }
  co_return Result<void>();
}

}  // namespace outport::http
