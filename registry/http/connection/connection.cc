#include "registry/http/connection/connection.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace outport::http {
namespace {

using std::chrono::steady_clock;

constexpr size_t kHeadReadBytes = 4 << 10;
constexpr size_t kMaxEmptyLines = 16;    // that a client may send before a request
constexpr size_t kRequestLineRest = 32;  // room for the method, the version and two spaces

Error HeaderTooLarge(size_t limit) {
  return Error{ErrorCode::kHeaderTooLarge, "the request's header is larger than the limit of " +
                                               std::to_string(limit) + " bytes"};
}

Error UriTooLong(size_t limit) {
  return Error{ErrorCode::kUriTooLong,
               "the request's URL is longer than the limit of " + std::to_string(limit) + " bytes"};
}

}  // namespace

// Overwrites the consumed bytes, because they may contain a password.
void Connection::Consume(size_t size) {
  ::explicit_bzero(input_.data() + begin_, size);
  begin_ += size;
  if (begin_ < input_.size()) return;
  input_.clear();
  begin_ = 0;
}

Result<std::optional<RequestHead>> Connection::ParseHead(size_t end) {
  if (end > limits_.header_bytes) return HeaderTooLarge(limits_.header_bytes);
  TRY(RequestHead head, ParseRequestHead(Pending().substr(0, end)));
  if (head.target.size() > limits_.target_bytes) return UriTooLong(limits_.target_bytes);
  Consume(end);
  first_ = false;
  return std::optional(std::move(head));
}

// Rejects the buffered bytes if they cannot become a valid header.
Result<void> Connection::CheckUnfinished() const {
  const std::string_view pending = Pending();
  const bool in_request_line = !pending.contains('\n');
  if (in_request_line && pending.size() > limits_.target_bytes + kRequestLineRest) {
    return UriTooLong(limits_.target_bytes);
  }
  if (pending.size() >= limits_.header_bytes) return HeaderTooLarge(limits_.header_bytes);
  if (!HasBareLineFeed(pending)) return {};
  return Error{ErrorCode::kMalformedRequest,
               "the request is not valid HTTP: a line ends without CR"};
}

net::awaitable<Result<std::optional<RequestHead>>> Connection::ReadHead() {
  size_t searched = 0;
  size_t empty_lines = 0;
  std::optional<Deadline> header_deadline;
  for (;;) {
    // Some clients send empty lines before a request (RFC 9112 §2.2).
    while (Pending().starts_with("\r\n")) {
      Consume(2);
      searched = 0;
      if (++empty_lines > kMaxEmptyLines) {
        co_return Error{ErrorCode::kMalformedRequest,
                        "the client sent only empty lines and no request"};
      }
    }
    const size_t end = FindHeadEnd(Pending(), searched);
    if (end != std::string::npos) co_return ParseHead(end);
    CO_TRY_VOID(CheckUnfinished());
    searched = Pending().size();

    const auto now = steady_clock::now();
    if (searched > 0 && !header_deadline.has_value()) header_deadline = now + limits_.header;
    if (searched == 0) stream_.ReleaseBuffers();
    input_.erase(0, begin_);
    begin_ = 0;
    std::array<std::byte, kHeadReadBytes> buffer;
    const Deadline idle_deadline = now + (first_ ? limits_.header : limits_.idle);
    const auto got = co_await stream_.ReadSome(buffer, header_deadline.value_or(idle_deadline));
    if (!got.has_value() || *got == 0) {
      const bool timeout = !got.has_value() && got.error().code == ErrorCode::kRequestTimeout;
      if (timeout && !input_.empty()) co_return got.error();
      co_return std::optional<RequestHead>();
    }
    input_.append(AsText(Bytes(buffer).first(*got)));
  }
}

size_t Connection::ReadBuffered(MutableBytes buffer) {
  const std::string_view pending = Pending();
  const size_t size = std::min(buffer.size(), pending.size());
  if (size > 0) std::memcpy(buffer.data(), pending.data(), size);
  Consume(size);
  return size;
}

net::awaitable<Result<size_t>> Connection::ReadBody(MutableBytes buffer) {
  const size_t pending = ReadBuffered(buffer);
  if (pending > 0) co_return pending;
  co_return co_await stream_.ReadSome(buffer, steady_clock::now() + limits_.progress);
}

}  // namespace outport::http
