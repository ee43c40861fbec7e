#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace outport {

enum class Base64 {
  kStandard,  // RFC 4648 section 4, padded
  kUrl,       // RFC 4648 section 5, without padding
};

std::string EncodeBase64(std::string_view bytes, Base64 kind);
// Returns nullopt unless `text` is exactly what EncodeBase64() returns for some bytes.
std::optional<std::string> DecodeBase64(std::string_view text, Base64 kind);

}  // namespace outport
