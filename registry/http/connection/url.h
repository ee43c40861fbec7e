#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport::http {

// The path of a request target, decoded. kMalformedRequest for bad escapes, for escapes of '/',
// NUL and control characters, and for dot segments, escaped or not: one path, one meaning.
Result<std::string> DecodePath(std::string_view path);

// The first value of `name` in a query ("a=1&b=2"), decoded ('+' is a space); nullopt if there is
// none, kMalformedRequest for bad escapes and control characters.
Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name);
// All of its values, in order.
Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name);

// For a value inside a query: everything but letters, digits and "-._~" escaped.
std::string EncodeQueryValue(std::string_view value);

}  // namespace outport::http
