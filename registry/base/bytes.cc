#include "registry/base/bytes.h"

#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <vector>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace outport {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // Castagnoli, reflected

consteval std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kTable = MakeTable();

uint32_t Portable(Bytes bytes, uint32_t crc) {
  for (const std::byte byte : bytes) {
    crc = kTable[(crc ^ static_cast<uint32_t>(byte)) & 0xff] ^ (crc >> 8);
  }
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) uint32_t Hardware(Bytes bytes, uint32_t crc) {
  uint64_t wide = crc;
  while (bytes.size() >= sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof(word));
    wide = _mm_crc32_u64(wide, word);
    bytes = bytes.subspan(sizeof(word));
  }
  auto narrow = static_cast<uint32_t>(wide);
  for (const std::byte byte : bytes) {
    narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(byte));
  }
  return narrow;
}
#endif

}  // namespace

std::string ToHex(Bytes bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    text.push_back(kDigits[static_cast<size_t>(byte) >> 4]);
    text.push_back(kDigits[static_cast<size_t>(byte) & 0xf]);
  }
  return text;
}

void FillRandom(MutableBytes bytes) {
  auto* begin = reinterpret_cast<unsigned char*>(bytes.data());
  // End the process if OpenSSL has no randomness, because secrets that somebody can guess are
  // unsafe.
  if (RAND_bytes(begin, static_cast<int>(bytes.size())) != 1) std::abort();
}

std::string RandomHex(size_t size) {
  std::vector<std::byte> random(size);
  FillRandom(random);
  return ToHex(random);
}

uint32_t Crc32c(Bytes bytes, uint32_t crc) {
#if defined(__x86_64__)
  static const bool kHardware = __builtin_cpu_supports("sse4.2");
  if (kHardware) return ~Hardware(bytes, ~crc);
#endif
  return ~Portable(bytes, ~crc);
}

}  // namespace outport
