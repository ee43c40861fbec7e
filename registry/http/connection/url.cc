#include "registry/http/connection/url.h"

#include <algorithm>
#include <cctype>

namespace outport::http {
namespace {

constexpr size_t kQuotedBytes = 300;  // most bytes of a path that an error quotes

// `where` names the part of the URL. It never contains a value of the query, because such a value
// must not be logged.
Error Malformed(std::string_view reason, std::string_view where) {
  return Error{ErrorCode::kMalformedRequest, "the URL is malformed: it contains " +
                                                 std::string(reason) + " in " + std::string(where)};
}

std::string Quoted(std::string_view path) {
  return '"' + std::string(path.substr(0, kQuotedBytes)) + '"';
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Decodes the escape at `text[i]` and sets `i` to its last digit. Returns -1 if the escape is
// invalid.
int Unescape(std::string_view text, size_t& i) {
  const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
  const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
  if (high < 0 || low < 0) return -1;
  i += 2;
  return high << 4 | low;
}

// Returns the next value of the parameter `name`, still encoded. Removes the query up to and
// including this value.
std::optional<std::string_view> NextParameter(std::string_view& query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.substr(0, pair.find('=')) != name) continue;
    return pair.substr(std::min(pair.size(), name.size() + 1));
  }
  return std::nullopt;
}

// Decodes a parameter's value. `name` is the parameter's name, for errors.
Result<std::string> DecodeQueryValue(std::string_view text, std::string_view name) {
  const std::string where = "the parameter " + std::string(name);
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    int c = static_cast<unsigned char>(text[i] == '+' ? ' ' : text[i]);
    if (c == '%') c = Unescape(text, i);
    if (c < 0) return Malformed("a '%' without two hexadecimal digits", where);
    if (IsControl(static_cast<char>(c))) return Malformed("a control character", where);
    value += static_cast<char>(c);
  }
  return value;
}

}  // namespace

Result<std::string> DecodePath(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    int c = static_cast<unsigned char>(path[i]);
    if (c == '%') {
      c = Unescape(path, i);
      if (c < 0) return Malformed("a '%' without two hexadecimal digits", Quoted(path));
      if (c == '/') return Malformed("an escaped '/'", Quoted(path));
    }
    if (IsControl(static_cast<char>(c))) return Malformed("a control character", Quoted(path));
    out += static_cast<char>(c);
  }
  for (const std::string_view dots : {"/./", "/../"}) {
    if ((out + '/').find(dots) != std::string::npos) {
      return Malformed("a dot segment", Quoted(path));
    }
  }
  return out;
}

Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name) {
  const std::optional<std::string_view> value = NextParameter(query, name);
  if (!value.has_value()) return std::optional<std::string>();
  TRY(std::string decoded, DecodeQueryValue(*value, name));
  return std::optional(std::move(decoded));
}

Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  while (const std::optional<std::string_view> value = NextParameter(query, name)) {
    TRY(std::string decoded, DecodeQueryValue(*value, name));
    values.push_back(std::move(decoded));
  }
  return values;
}

std::string EncodeQueryValue(std::string_view value) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '.' || c == '_' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace outport::http
