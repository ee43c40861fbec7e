#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport::http {

// Decodes the path of a request target. A path has one meaning only: kMalformedRequest for invalid
// escapes, for escaped '/', NUL and control characters, and for dot segments, escaped or not.
Result<std::string> DecodePath(std::string_view path);

// Returns the first value of `name` in a query ("a=1&b=2"), decoded ('+' is a space); nullopt if
// there is none. kMalformedRequest for invalid escapes and control characters.
Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name);
// Returns all values of `name`, in order.
Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name);

// Escapes a value for a query: everything but letters, digits and "-._~".
std::string EncodeQueryValue(std::string_view value);

}  // namespace outport::http
