#include "registry/oci/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace outport {
namespace {

struct Algorithm {
  std::string_view name;
  size_t hex_size;
  const EVP_MD* (*md)();
};

const Algorithm& TraitsOf(DigestAlgorithm algorithm) {
  static constexpr Algorithm kSha256{"sha256", 64, &EVP_sha256};
  static constexpr Algorithm kSha512{"sha512", 128, &EVP_sha512};
  return algorithm == DigestAlgorithm::kSha256 ? kSha256 : kSha512;
}

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

Error Invalid(std::string_view text) {
  return Error{ErrorCode::kDigestInvalid, "the digest \"" + std::string(text.substr(0, 200)) +
                                              "\" is not valid; write sha256: and 64 lowercase "
                                              "hexadecimal digits, or sha512: and 128"};
}

// Ends the process if a hash function failed. It fails only if no memory is left or OpenSSL is
// broken.
void MustSucceed(int status) {
  if (status != 1) std::abort();
}

}  // namespace

Result<DigestAlgorithm> ParseDigestAlgorithm(std::string_view text) {
  for (const auto algorithm : {DigestAlgorithm::kSha256, DigestAlgorithm::kSha512}) {
    if (TraitsOf(algorithm).name == text) return algorithm;
  }
  return Error{ErrorCode::kDigestInvalid, "the digest algorithm \"" +
                                              std::string(text.substr(0, 100)) +
                                              "\" is not supported; use sha256 or sha512"};
}

Result<Digest> Digest::Parse(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return Invalid(text);
  const Result<DigestAlgorithm> algorithm = ParseDigestAlgorithm(text.substr(0, colon));
  if (!algorithm.has_value()) return algorithm.error();
  const std::string_view hex = text.substr(colon + 1);
  if (hex.size() != TraitsOf(*algorithm).hex_size || !std::ranges::all_of(hex, IsLowerHex)) {
    return Invalid(text);
  }
  return Digest(*algorithm, std::string(hex));
}

Digest Digest::Of(DigestAlgorithm algorithm, Bytes content) {
  Hasher hasher(algorithm);
  hasher.Update(content);
  return hasher.Current();
}

std::string_view Digest::algorithm_name() const { return TraitsOf(algorithm_).name; }

std::string Digest::ToString() const { return std::string(algorithm_name()) + ":" + hex_; }

struct Hasher::Context {
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  Context() : running(EVP_MD_CTX_new()), finished(EVP_MD_CTX_new()) {
    MustSucceed(running != nullptr && finished != nullptr);
  }
  std::unique_ptr<EVP_MD_CTX, Free> running;
  std::unique_ptr<EVP_MD_CTX, Free> finished;  // Current() finishes this copy of the hash
};

Hasher::Hasher(DigestAlgorithm algorithm)
    : algorithm_(algorithm), context_(std::make_unique<Context>()) {
  MustSucceed(EVP_DigestInit_ex(context_->running.get(), TraitsOf(algorithm).md(), nullptr));
}

Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::Update(Bytes bytes) {
  MustSucceed(EVP_DigestUpdate(context_->running.get(), bytes.data(), bytes.size()));
}

Digest Hasher::Current() const {
  std::array<std::byte, EVP_MAX_MD_SIZE> hash;
  unsigned size = 0;
  MustSucceed(EVP_MD_CTX_copy_ex(context_->finished.get(), context_->running.get()));
  MustSucceed(EVP_DigestFinal_ex(context_->finished.get(),
                                 reinterpret_cast<unsigned char*>(hash.data()), &size));
  return Digest(algorithm_, ToHex(Bytes(hash).first(size)));
}

}  // namespace outport
