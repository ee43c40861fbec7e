#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

// Looks at JSON text before a parser builds a tree from it, in one pass and without memory.
namespace outport {

struct JsonLimits {
  size_t depth;   // the most nested objects and lists
  size_t values;  // the most values: objects, lists, strings, numbers, true, false and null
};

// Says which limit the text exceeds, for example "is nested deeper than 32 levels"; nullopt if it
// exceeds none. The names of members are no values. For a text that is not JSON, the limits hold up
// to the first error.
std::optional<std::string> WhyTooComplex(std::string_view json, const JsonLimits& limits);

// Whether a string has half of a UTF-16 surrogate pair: an escape \uD800 to \uDFFF without the
// other half. Such a string has no UTF-8 form.
bool HasLoneSurrogate(std::string_view json);

}  // namespace outport
