#include "registry/http/connection/response.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "registry/base/log.h"

namespace outport::http {
namespace {

constexpr uint64_t kBlobReadBytes = 256 << 10;
constexpr size_t kInlineBodyBytes = 8 << 10;  // in one TLS record with the header

// Appends the Date field, for example "Date: Fri, 20 Nov 2026 18:49:06 GMT" (RFC 9110 §5.6.7).
void AppendDate(std::string& out) {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  const size_t size =
      std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %T GMT\r\n", &utc);
  out.append(text.data(), size);
}

}  // namespace

std::string_view ReasonPhrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 304:
      return "Not Modified";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 416:
      return "Range Not Satisfiable";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    case 507:
      return "Insufficient Storage";
    default:
      return "Status";
  }
}

std::string FormatError(const Error& error, std::string_view request_id) {
  const ErrorTraits& traits = TraitsOf(error.code);
  std::string message = error.message;
  if (traits.http_status == 500) {
    message = "the registry failed to answer; its log gives the cause for request_id " +
              std::string(request_id);
  }
  // This code builds the JSON itself, because a message may quote a part of the request that is not
  // valid UTF-8.
  const std::string code = "{\"code\":\"" + std::string(traits.oci_code) + '"';
  std::string entries = code + ",\"message\":\"" + JsonEscape(message) + '"';
  for (size_t i = 0; i < error.items.size(); ++i) {
    if (i > 0) entries += "}," + code;  // without the message: it is about all items
    entries += ",\"detail\":\"" + JsonEscape(error.items[i]) + '"';
  }
  return "{\"errors\":[" + entries + "}]}\n";
}

void Response::Set(std::string_view name, std::string_view value) {
  fields_.append(name).append(": ");
  for (const char c : value) {
    fields_ += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  }
  fields_ += "\r\n";
}

void Response::Begin(int status, std::string_view content_type, std::optional<uint64_t> size) {
  status_ = status;
  body_.DiscardBuffered();
  close_ = close_ || !head_.keep_alive || !body_.may_be_drained();
  std::string out;
  out.reserve(256 + fields_.size());
  out.append("HTTP/1.1 ").append(std::to_string(status)).append(" ");
  out.append(ReasonPhrase(status)).append("\r\n");
  AppendDate(out);
  // Pushers choose the bytes and the media types of content. A browser must not guess another type.
  out += "X-Content-Type-Options: nosniff\r\n";
  out += fields_;
  if (!content_type.empty()) out.append("Content-Type: ").append(content_type).append("\r\n");
  if (size.has_value()) {
    out.append("Content-Length: ").append(std::to_string(*size)).append("\r\n");
  }
  if (close_) {
    out += "Connection: close\r\n";
  } else if (head_.http_1_0) {
    out += "Connection: keep-alive\r\n";
  }
  out += "\r\n";
  stream_.Append(out);
}

net::awaitable<Result<void>> Response::SendEmpty(int status) {
  // A 204 must have no Content-Length. In a 304 it would be the length of the 200 response, so omit
  // it there too (RFC 9110 §8.6).
  const bool bare = status == 204 || status == 304;
  Begin(status, "", bare ? std::nullopt : std::optional<uint64_t>(0));
  co_return co_await stream_.Flush();
}

net::awaitable<Result<void>> Response::SendText(int status, std::string_view content_type,
                                                std::string_view text) {
  Begin(status, content_type, text.size());
  if (is_head()) co_return co_await stream_.Flush();
  body_bytes_ = text.size();
  if (text.size() <= kInlineBodyBytes) {
    stream_.Append(text);
  } else {
    CO_TRY_VOID(co_await stream_.Write(AsBytes(text)));
  }
  co_return co_await stream_.Flush();
}

net::awaitable<Result<void>> Response::SendHeadOnly(std::string_view content_type, uint64_t size) {
  Begin(200, content_type, size);
  co_return co_await stream_.Flush();
}

net::awaitable<Result<void>> Response::SendBlob(BlobBody& blob, std::optional<ByteRange> range) {
  const uint64_t total = blob.info().size_bytes;
  const ByteRange part = range.value_or(ByteRange{.offset = 0, .size = total});
  const uint64_t end = part.offset + part.size;
  uint64_t offset = part.offset;
  // Read the first bytes before sending the status line. If the read fails, the session can still
  // answer with an error.
  Bytes bytes;
  if (offset < end) {
    CO_TRY(bytes, co_await blob.Read(offset, std::min(end - offset, kBlobReadBytes)));
  }
  if (range.has_value()) {
    Set("Content-Range", "bytes " + std::to_string(part.offset) + "-" + std::to_string(end - 1) +
                             "/" + std::to_string(total));
  }
  Begin(range.has_value() ? 206 : 200, "application/octet-stream", part.size);
  while (offset < end) {
    if (bytes.empty()) {
      CO_TRY(bytes, co_await blob.Read(offset, std::min(end - offset, kBlobReadBytes)));
    }
    bytes = bytes.first(static_cast<size_t>(std::min<uint64_t>(bytes.size(), end - offset)));
    if (bytes.empty())
      co_return Error{ErrorCode::kInternal, "the blob ended before its recorded size"};
    CO_TRY_VOID(co_await stream_.Write(bytes));
    offset += bytes.size();
    body_bytes_ += bytes.size();
    bytes = {};
  }
  co_return co_await stream_.Flush();
}

net::awaitable<Result<void>> Response::SendError(const Error& error, std::string_view request_id) {
  const ErrorTraits& traits = TraitsOf(error.code);
  const int wait =
      error.retry_after_seconds > 0 ? error.retry_after_seconds : traits.retry_after_seconds;
  if (wait > 0) Set("Retry-After", std::to_string(wait));
  const std::string text = FormatError(error, request_id);
  co_return co_await SendText(traits.http_status, "application/json", text);
}

}  // namespace outport::http
