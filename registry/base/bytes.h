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

// Returns `bytes` in lowercase hexadecimal.
std::string ToHex(Bytes bytes);

// Fills `bytes` with random bytes from OpenSSL.
void FillRandom(MutableBytes bytes);
// Returns `size` random bytes from OpenSSL, in lowercase hexadecimal.
std::string RandomHex(size_t size);

// Returns the CRC32C (Castagnoli) of `bytes`. For a checksum over several pieces, pass the result
// for the previous pieces as `crc`.
uint32_t Crc32c(Bytes bytes, uint32_t crc = 0);

}  // namespace outport
