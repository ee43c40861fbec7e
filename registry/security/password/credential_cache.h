#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <string_view>

#include "registry/base/lru_map.h"

namespace outport {

// HMAC-SHA256 over a user's name, password and password hash, under a random key of this process.
// The cache stores this MAC instead of the password. A new password hash gives a new MAC, so a
// change of the password invalidates the cached entry.
using CredentialMac = std::array<std::byte, 32>;

// Computes MACs with a random key that no other process has. Safe for several threads.
class CredentialMacKey {
 public:
  CredentialMacKey();  // creates the key
  ~CredentialMacKey();
  CredentialMacKey(const CredentialMacKey&) = delete;
  CredentialMacKey& operator=(const CredentialMacKey&) = delete;

  CredentialMac MacOf(std::string_view name, std::string_view password,
                      std::string_view password_hash) const;

 private:
  std::array<unsigned char, 32> key_;
};

// The MACs of verified credentials. Each MAC expires after `lifetime`. When the cache is full, a
// new MAC evicts the least recently used one. For one thread at a time.
class CredentialCache {
 public:
  CredentialCache(size_t entries, std::chrono::nanoseconds lifetime)
      : ends_(entries), lifetime_(lifetime) {}

  bool Contains(const CredentialMac& mac, std::chrono::nanoseconds now);
  void Insert(const CredentialMac& mac, std::chrono::nanoseconds now) {
    ends_.At(mac) = now + lifetime_;
  }
  size_t size() const { return ends_.size(); }

 private:
  LruMap<CredentialMac, std::chrono::nanoseconds> ends_;
  const std::chrono::nanoseconds lifetime_;
};

}  // namespace outport
