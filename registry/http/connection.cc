#include "registry/http/connection.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace outport::http {
namespace {

using std::chrono::steady_clock;

constexpr size_t kHeadReadBytes = 4 << 10;

Error TooLarge(size_t limit) {
  return Error{ErrorCode::kMalformedRequest,
               "the request's header is larger than " + std::to_string(limit) + " bytes"};
}

}  // namespace

void Connection::Drop(size_t size) {
  begin_ += size;
  if (begin_ < input_.size()) return;
  input_.clear();
  begin_ = 0;
}

Result<std::optional<RequestHead>> Connection::TakeHead(size_t end) {
  if (end > limits_.header_bytes) return TooLarge(limits_.header_bytes);
  TRY(RequestHead head, ParseRequestHead(Pending().substr(0, end)));
  Drop(end);
  first_ = false;
  return std::optional(std::move(head));
}

net::awaitable<Result<std::optional<RequestHead>>> Connection::ReadHead() {
  size_t searched = 0;
  std::optional<Deadline> header_deadline;
  for (;;) {
    // Empty lines before a request are left over from a careless client (RFC 9112 §2.2).
    while (Pending().starts_with("\r\n")) {
      Drop(2);
      searched = 0;
    }
    const size_t end = FindHeadEnd(Pending(), searched);
    if (end != std::string::npos) co_return TakeHead(end);
    searched = Pending().size();
    if (searched >= limits_.header_bytes) co_return TooLarge(limits_.header_bytes);

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

net::awaitable<Result<size_t>> Connection::ReadBody(MutableBytes buffer) {
  const std::string_view pending = Pending();
  if (!pending.empty()) {
    const size_t size = std::min(buffer.size(), pending.size());
    std::memcpy(buffer.data(), pending.data(), size);
    Drop(size);
    co_return size;
  }
  co_return co_await stream_.ReadSome(buffer, steady_clock::now() + limits_.progress);
}

}  // namespace outport::http
