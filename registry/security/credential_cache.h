#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <string_view>

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
  CredentialCache(size_t entries, std::chrono::nanoseconds life) : entries_(entries), life_(life) {}

  bool Contains(const CredentialMark& mark, std::chrono::nanoseconds now);
  void Insert(const CredentialMark& mark, std::chrono::nanoseconds now);
  size_t size() const { return index_.size(); }

 private:
  struct Entry {
    CredentialMark mark;
    std::chrono::nanoseconds until;
  };
  const size_t entries_;
  const std::chrono::nanoseconds life_;
  std::list<Entry> recent_;  // most recently used first
  std::map<CredentialMark, std::list<Entry>::iterator> index_;
};

}  // namespace outport
