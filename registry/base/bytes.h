#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace outport {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline Bytes AsBytes(std::string_view text) { return std::as_bytes(std::span(text)); }
inline std::string_view AsText(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Lowercase hexadecimal.
std::string ToHex(Bytes bytes);

// Fills `bytes` from OpenSSL's random generator.
void FillRandom(MutableBytes bytes);
// `size` bytes of OpenSSL's random generator, as lowercase hexadecimal.
std::string RandomHex(size_t size);

// The CRC32C (Castagnoli) of `bytes`, continued from `crc`; 0 begins a new checksum.
uint32_t Crc32c(Bytes bytes, uint32_t crc = 0);

}  // namespace outport
