#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "registry/oci/digest.h"
#include "registry/storage/blob_store.h"

namespace outport::node {

// A blob whose bytes are computed from a seed, so that a large blob needs no memory.
class TestBlob {
 public:
  TestBlob(uint64_t seed, uint64_t size_bytes) : seed_(seed), size_bytes_(size_bytes) {
    Hasher hasher(DigestAlgorithm::kSha256);
    for (uint64_t at = 0; at < size_bytes; at += kChecksumBlockBytes) {
      hasher.Update(AsBytes(Content(at, std::min(kChecksumBlockBytes, size_bytes - at))));
    }
    digest_ = hasher.Current().ToString();
  }

  uint64_t size_bytes() const { return size_bytes_; }
  Digest digest() const { return *Digest::Parse(digest_); }

  // `offset` is a multiple of 8.
  std::string Content(uint64_t offset, uint64_t size) const {
    std::string content((size + 7) / 8 * 8, '\0');
    for (uint64_t i = 0; i < content.size(); i += 8) {
      uint64_t word = (offset + i) * 0x9e3779b97f4a7c15 + seed_;
      word = (word ^ (word >> 29)) * 0xbf58476d1ce4e5b9;
      word ^= word >> 32;
      std::memcpy(content.data() + i, &word, sizeof(word));
    }
    content.resize(size);
    return content;
  }
  std::string Content() const { return Content(0, size_bytes_); }

 private:
  uint64_t seed_;
  uint64_t size_bytes_;
  std::string digest_;
};

}  // namespace outport::node
