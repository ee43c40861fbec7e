#include "registry/security/password/credential_cache.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <cstdint>
#include <cstdlib>
#include <string>

namespace outport {
namespace {

// Appends `part` with its length in front, so that two different lists of parts never give the same
// text.
void AppendPart(std::string& text, std::string_view part) {
  const auto size = static_cast<uint32_t>(part.size());
  for (int shift = 24; shift >= 0; shift -= 8) text += static_cast<char>((size >> shift) & 0xff);
  text += part;
}

}  // namespace

CredentialMacKey::CredentialMacKey() {
  if (RAND_bytes(key_.data(), static_cast<int>(key_.size())) != 1) std::abort();
}

CredentialMacKey::~CredentialMacKey() { OPENSSL_cleanse(key_.data(), key_.size()); }

CredentialMac CredentialMacKey::MacOf(std::string_view name, std::string_view password,
                                      std::string_view password_hash) const {
  std::string text;
  text.reserve(name.size() + password.size() + password_hash.size() + 12);
  AppendPart(text, name);
  AppendPart(text, password_hash);
  AppendPart(text, password);
  CredentialMac mac;
  const unsigned char* made = HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
                                   reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                                   reinterpret_cast<unsigned char*>(mac.data()), nullptr);
  if (made == nullptr) std::abort();
  OPENSSL_cleanse(text.data(), text.size());
  return mac;
}

bool CredentialCache::Contains(const CredentialMac& mac, std::chrono::nanoseconds now) {
  const std::chrono::nanoseconds* end = ends_.Find(mac);
  if (end == nullptr) return false;
  if (*end > now) return true;
  ends_.Erase(mac);
  return false;
}

}  // namespace outport
