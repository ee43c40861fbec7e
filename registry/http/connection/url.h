#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport::http {

// Decodes the path of a request target. Rejects every path that two programs could read
// differently: kMalformedRequest for invalid escapes, for an escaped '/', for NUL and control
// characters, and for dot segments, escaped or not.
Result<std::string> DecodePath(std::string_view path);

// Returns the first value of the parameter `name` in a query such as "a=1&b=2", or nullopt if the
// query has no such parameter. Decodes escapes, and '+' as a space. kMalformedRequest for invalid
// escapes and control characters.
Result<std::optional<std::string>> QueryParameter(std::string_view query, std::string_view name);
// Returns all values of the parameter `name`, in their order in the query.
Result<std::vector<std::string>> QueryParameters(std::string_view query, std::string_view name);

// Escapes a value for a query. Keeps only letters, digits and "-._~" unescaped.
std::string EncodeQueryValue(std::string_view value);

}  // namespace outport::http
