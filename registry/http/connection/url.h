#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport::http {

// Decodes the path of a request target. Returns kMalformedRequest for every path that two programs
// could read differently. Such a path has an invalid escape, an escaped '/', a NUL, a control
// character, or a dot segment (escaped or not).
Result<std::string> DecodePath(std::string_view path);

// Returns the first value of the parameter `name` in a query such as "a=1&b=2", or nullopt if the
// query has no such parameter. Decodes the value, in which '+' means a space. kMalformedRequest if
// the value has an invalid escape or a control character.
Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name);
// Returns all values of the parameter `name`, in their order in the query.
Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name);

// Escapes a value for a query. Keeps only letters, digits and "-._~" unescaped.
std::string EncodeQueryValue(std::string_view value);

}  // namespace outport::http
