#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "registry/base/lru_map.h"

namespace outport {

// What stands for a user's name, password and password hash: HMAC-SHA256 under a key that only this
// process has. A change of the password makes another one.
using CredentialMark = std::array<std::byte, 32>;

// Makes marks. A value; for several threads.
class CredentialMarker {
 public:
  CredentialMarker();  // with a new random key
  ~CredentialMarker();
  CredentialMarker(const CredentialMarker&) = delete;
  CredentialMarker& operator=(const CredentialMarker&) = delete;

  CredentialMark Mark(std::string_view name, std::string_view password,
                      std::string_view password_hash) const;

 private:
  std::array<unsigned char, 32> key_;
};

// Marks of credentials that were right, each for a time, the least recently used one forgotten
// first. For one thread at a time.
class CredentialCache {
 public:
  CredentialCache(size_t entries, std::chrono::nanoseconds life) : ends_(entries), life_(life) {}

  bool Contains(const CredentialMark& mark, std::chrono::nanoseconds now);
  void Insert(const CredentialMark& mark, std::chrono::nanoseconds now) {
    ends_.At(mark) = now + life_;
  }
  size_t size() const { return ends_.size(); }

 private:
  LruMap<CredentialMark, std::chrono::nanoseconds> ends_;
  const std::chrono::nanoseconds life_;
};

}  // namespace outport
