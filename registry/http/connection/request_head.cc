#include "registry/http/connection/request_head.h"

#include <algorithm>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

namespace outport::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using Parser = beast::http::request_parser<beast::http::empty_body>;
using Fields = beast::http::fields;

constexpr size_t kQuotedBytes = 100;  // most bytes of a value that an error quotes

Error Malformed(std::string_view reason) {
  return Error{ErrorCode::kMalformedRequest,
               "the request is not valid HTTP: " + std::string(reason)};
}

Method ToMethod(beast::http::verb verb) {
  switch (verb) {
    case beast::http::verb::get:
      return Method::kGet;
    case beast::http::verb::head:
      return Method::kHead;
    case beast::http::verb::post:
      return Method::kPost;
    case beast::http::verb::put:
      return Method::kPut;
    case beast::http::verb::patch:
      return Method::kPatch;
    case beast::http::verb::delete_:
      return Method::kDelete;
    default:
      return Method::kOther;
  }
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

constexpr std::string_view kMinSequence = "Outport-Min-Sequence";

std::string_view NameOf(field name) { return to_string(name); }
std::string_view NameOf(std::string_view name) { return name; }

// Returns the value of a field that may occur only once. Returns an empty text if the field is
// missing.
template <class Name>
Result<std::string> Single(const Fields& fields, Name name) {
  const auto [first, last] = fields.equal_range(name);
  if (first == last) return std::string();
  if (std::next(first) != last) {
    return Malformed("the field " + std::string(NameOf(name)) + " was sent more than once");
  }
  return std::string(first->value());
}

// Rejects lines that a proxy could frame differently. Beast accepts these lines, as RFC 9112
// allows.
Result<void> CheckLines(std::string_view head) {
  for (size_t i = 0; i < head.size(); ++i) {
    const char c = head[i];
    if (c == '\n' && (i == 0 || head[i - 1] != '\r')) return Malformed("a line ends without CR");
    if (c == '\r' && (i + 1 == head.size() || head[i + 1] != '\n')) {
      return Malformed("a line contains a CR before its end");
    }
    if (c == '\n' && i + 1 < head.size() && (head[i + 1] == ' ' || head[i + 1] == '\t')) {
      return Malformed("a header line is folded");
    }
    if (c == '\0') return Malformed("the header contains a NUL");
  }
  return {};
}

Result<void> ReadFraming(const Fields& fields, RequestHead& head) {
  TRY(const std::string length, Single(fields, field::content_length));
  TRY(const std::string coding, Single(fields, field::transfer_encoding));
  const bool has_length = fields.count(field::content_length) > 0;
  const bool has_coding = fields.count(field::transfer_encoding) > 0;
  if (has_length && has_coding) return Malformed("it has Content-Length and Transfer-Encoding");
  if (has_coding) {
    if (!EqualsIgnoringCase(coding, "chunked")) {
      return Malformed("the transfer coding must be chunked, not \"" +
                       coding.substr(0, kQuotedBytes) + "\"");
    }
    if (head.http_1_0) return Malformed("HTTP/1.0 does not allow Transfer-Encoding");
    head.chunked = true;
  }
  if (has_length) {
    const bool digits = !length.empty() && length.size() <= 18 &&
                        std::ranges::all_of(length, [](char c) { return c >= '0' && c <= '9'; });
    if (!digits) {
      return Malformed("Content-Length is not a number of bytes: \"" +
                       length.substr(0, kQuotedBytes) + "\"");
    }
    head.content_length = std::stoull(length);
  }
  TRY(const std::string expect, Single(fields, field::expect));
  if (!expect.empty() && !head.http_1_0) {
    if (!EqualsIgnoringCase(expect, "100-continue")) {
      return Malformed("the expectation must be 100-continue, not \"" +
                       expect.substr(0, kQuotedBytes) + "\"");
    }
    head.expects_continue = head.has_body();
  }
  return {};
}

Result<void> CheckHost(const Fields& fields, const RequestHead& head) {
  const size_t hosts = fields.count(field::host);
  if (hosts > 1) return Malformed("it has several Host fields");
  if (hosts == 0 && !head.http_1_0) return Malformed("the Host field is missing");
  return {};
}

// Returns the path and query of a target. The target may have the absolute form "https://host/v2/"
// (RFC 9112 §3.2.2).
Result<std::string> OriginForm(std::string_view target) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!EqualsIgnoringCase(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const size_t authority = std::min(target.find_first_of("/?"), target.size());
    if (authority == 0) return Malformed("the request target names no host");
    target.remove_prefix(authority);
    return (target.starts_with('/') ? "" : "/") + std::string(target);
  }
  if (!target.starts_with('/')) {
    return Malformed("the request target is not a path: \"" +
                     std::string(target.substr(0, kQuotedBytes)) + "\"");
  }
  return std::string(target);
}

}  // namespace

std::string_view ToString(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kHead:
      return "HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
    case Method::kOther:
      break;
  }
  return "OTHER";
}

size_t FindHeadEnd(std::string_view input, size_t searched) {
  const size_t from = searched < 3 ? 0 : searched - 3;
  const size_t found = input.find("\r\n\r\n", from);
  return found == std::string_view::npos ? found : found + 4;
}

bool HasBareLineFeed(std::string_view input) {
  for (size_t i = input.find('\n'); i != std::string_view::npos; i = input.find('\n', i + 1)) {
    if (i == 0 || input[i - 1] != '\r') return true;
  }
  return false;
}

Result<RequestHead> ParseRequestHead(std::string_view text) {
  TRY_VOID(CheckLines(text));
  Parser parser;
  parser.eager(false);
  parser.header_limit(static_cast<uint32_t>(std::min<size_t>(text.size() + 1, UINT32_MAX)));
  parser.body_limit(boost::none);
  beast::error_code failure;
  const size_t used = parser.put(boost::asio::buffer(text.data(), text.size()), failure);
  if (failure) return Malformed(failure.message());
  if (!parser.is_header_done() || used != text.size()) return Malformed("the header is truncated");

  const auto& message = parser.get();
  const Fields& fields = message;
  RequestHead head;
  head.method = ToMethod(message.method());
  head.http_1_0 = message.version() == 10;
  head.keep_alive = parser.keep_alive();
  TRY(head.target, OriginForm({message.target().data(), message.target().size()}));
  TRY_VOID(CheckHost(fields, head));
  TRY_VOID(ReadFraming(fields, head));
  TRY(head.host, Single(fields, field::host));
  TRY(std::string authorization, Single(fields, field::authorization));
  head.authorization = Secret(authorization);
  Wipe(authorization);
  TRY(head.content_type, Single(fields, field::content_type));
  TRY(head.content_range, Single(fields, field::content_range));
  TRY(head.range, Single(fields, field::range));
  TRY(head.if_range, Single(fields, field::if_range));
  TRY(head.min_sequence, Single(fields, kMinSequence));
  // If-None-Match is a list. Several fields of this name form one list (RFC 9110 §5.3).
  const auto [first, last] = fields.equal_range(field::if_none_match);
  for (auto it = first; it != last; ++it) {
    if (!head.if_none_match.empty()) head.if_none_match += ", ";
    head.if_none_match += std::string_view(it->value().data(), it->value().size());
  }
  return head;
}

}  // namespace outport::http
