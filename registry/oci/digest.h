#pragma once

#include <compare>
#include <memory>
#include <string>
#include <string_view>

#include "registry/base/bytes.h"
#include "registry/base/result.h"

namespace outport {

enum class DigestAlgorithm { kSha256, kSha512 };

// The digest of a content: algorithm and hash (OCI image-spec, descriptor.md, "Digests"). A value
// type.
class Digest {
 public:
  // kDigestInvalid unless `text` is "sha256:<64 lowercase hex>" or "sha512:<128 lowercase hex>".
  static Result<Digest> Parse(std::string_view text);
  static Digest Of(DigestAlgorithm algorithm, Bytes content);

  DigestAlgorithm algorithm() const { return algorithm_; }
  std::string_view algorithm_name() const;  // "sha256"
  const std::string& hex() const { return hex_; }
  std::string ToString() const;  // "sha256:…"

  auto operator<=>(const Digest&) const = default;

 private:
  Digest(DigestAlgorithm algorithm, std::string hex)
      : algorithm_(algorithm), hex_(std::move(hex)) {}
  friend class Hasher;

  DigestAlgorithm algorithm_;
  std::string hex_;
};

// kDigestInvalid unless `text` is "sha256" or "sha512".
Result<DigestAlgorithm> ParseDigestAlgorithm(std::string_view text);

// Computes a digest piece by piece. For one thread at a time. Does not block.
class Hasher {
 public:
  explicit Hasher(DigestAlgorithm algorithm);
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void Update(Bytes bytes);
  // Returns the digest of all bytes so far. You may call Update() again after it.
  Digest Current() const;

 private:
  struct Context;
  DigestAlgorithm algorithm_;
  std::unique_ptr<Context> context_;
};

}  // namespace outport

template <>
struct std::hash<outport::Digest> {
  size_t operator()(const outport::Digest& digest) const noexcept {
    return std::hash<std::string>()(digest.hex());
  }
};
