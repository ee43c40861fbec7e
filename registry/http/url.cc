#include "registry/http/url.h"

#include <algorithm>
#include <cctype>

namespace outport::http {
namespace {

Error Malformed(std::string_view reason) {
  return Error{ErrorCode::kMalformedRequest, "the URL is malformed: " + std::string(reason)};
}

int HexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

// Appends the character that the escape at `text[i]` means; `i` is left on its last digit.
Result<char> Unescape(std::string_view text, size_t& i) {
  const int high = i + 2 < text.size() ? HexValue(text[i + 1]) : -1;
  const int low = i + 2 < text.size() ? HexValue(text[i + 2]) : -1;
  if (high < 0 || low < 0) return Malformed("'%' is not followed by two hexadecimal digits");
  i += 2;
  return static_cast<char>(high << 4 | low);
}

// The next value of `name`, still encoded; `query` is left behind it.
std::optional<std::string_view> TakeParameter(std::string_view& query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (pair.substr(0, pair.find('=')) != name) continue;
    return pair.substr(std::min(pair.size(), name.size() + 1));
  }
  return std::nullopt;
}

Result<std::string> DecodeQueryValue(std::string_view text) {
  std::string value;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i] == '+' ? ' ' : text[i];
    if (c == '%') {
      TRY(c, Unescape(text, i));
    }
    if (IsControl(c)) return Malformed("a control character in the query");
    value += c;
  }
  return value;
}

}  // namespace

Result<std::string> DecodePath(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  for (size_t i = 0; i < path.size(); ++i) {
    char c = path[i];
    if (c == '%') {
      TRY(c, Unescape(path, i));
      if (c == '/') return Malformed("an escaped '/' in the path");
    }
    if (IsControl(c)) return Malformed("a control character in the path");
    out += c;
  }
  for (const std::string_view dots : {"/./", "/../"}) {
    if ((out + '/').find(dots) != std::string::npos) return Malformed("a dot segment in the path");
  }
  return out;
}

Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name) {
  const std::optional<std::string_view> value = TakeParameter(query, name);
  if (!value.has_value()) return std::optional<std::string>();
  TRY(std::string decoded, DecodeQueryValue(*value));
  return std::optional(std::move(decoded));
}

Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  while (const std::optional<std::string_view> value = TakeParameter(query, name)) {
    TRY(std::string decoded, DecodeQueryValue(*value));
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
