#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace outport {

// Returns the length of the UTF-8 sequence at the start of `text`, or 0 if the sequence is invalid.
// Overlong forms and surrogates are invalid too (RFC 3629 §4). REQUIRES: `text` is not empty.
size_t Utf8Length(std::string_view text);

// Returns the offset of the first byte that is not part of UTF-8 text; nullopt if there is none.
std::optional<size_t> FindInvalidUtf8(std::string_view text);

}  // namespace outport
