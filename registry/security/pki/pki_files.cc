// Implements the part of pki.h that certificate holders need: keys, requests, PKCS#12 files and
// descriptions.
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdlib>
#include <utility>

#include "registry/base/bytes.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport::pki {
namespace {

using openssl::KeyPtr;
using openssl::LibraryError;
using std::chrono::system_clock;

constexpr std::array<std::pair<std::string_view, KeyType>, 4> kKeyTypes = {
    {{"ecdsa-p256", KeyType::kEcdsaP256},
     {"ecdsa-p384", KeyType::kEcdsaP384},
     {"rsa-2048", KeyType::kRsa2048},
     {"rsa-4096", KeyType::kRsa4096}}};

KeyPtr MakeKey(KeyType type) {
  switch (type) {
    case KeyType::kEcdsaP256:
      return KeyPtr(EVP_EC_gen("P-256"));
    case KeyType::kEcdsaP384:
      return KeyPtr(EVP_EC_gen("P-384"));
    case KeyType::kRsa2048:
      return KeyPtr(EVP_RSA_gen(2048U));
    case KeyType::kRsa4096:
      return KeyPtr(EVP_RSA_gen(4096U));
  }
  std::unreachable();
}

std::string DescribeKey(EVP_PKEY* key) {
  if (key != nullptr && EVP_PKEY_is_a(key, "RSA") == 1) {
    return "RSA " + std::to_string(EVP_PKEY_get_bits(key));
  }
  if (key != nullptr && EVP_PKEY_is_a(key, "EC") == 1) {
    return "ECDSA P-" + std::to_string(EVP_PKEY_get_bits(key));
  }
  return "unknown";
}

std::string SubjectOf(const X509* certificate) {
  const openssl::BioPtr text = openssl::Writer();
  X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return openssl::Written(text.get());
}

}  // namespace

Result<KeyType> ParseKeyType(std::string_view text) {
  for (const auto& [name, type] : kKeyTypes) {
    if (name == text) return type;
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text) +
                   "' is not a key type; choose ecdsa-p256, ecdsa-p384, rsa-2048 or rsa-4096"};
}

Result<KeyType> KeyTypeOf(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  EVP_PKEY* const key = X509_get0_pubkey(certificates.front().get());
  TRY_VOID(openssl::CheckKeyStrength(key));
  const int bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA") == 1) return bits > 2048 ? KeyType::kRsa4096 : KeyType::kRsa2048;
  return bits > 256 ? KeyType::kEcdsaP384 : KeyType::kEcdsaP256;
}

Result<KeyType> ReplacementKeyType(std::string_view text, std::string_view pem) {
  return text.empty() ? KeyTypeOf(pem) : ParseKeyType(text);
}

std::string CreatePrivateKey(KeyType type) {
  const KeyPtr key = MakeKey(type);
  if (key == nullptr) std::abort();  // no randomness or no memory left
  return openssl::ToPem(key.get());
}

Result<std::string> CreateRequest(std::string_view private_key) {
  TRY(const KeyPtr key, openssl::ReadPrivateKey(private_key));
  const openssl::RequestPtr request(X509_REQ_new());
  const openssl::BioPtr bio = openssl::Writer();
  if (request == nullptr || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
      X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) <= 0 ||
      PEM_write_bio_X509_REQ(bio.get(), request.get()) != 1) {
    return LibraryError("making a certificate request");
  }
  return openssl::Written(bio.get());
}

Result<std::string> ToPkcs12(std::string_view chain, std::string_view private_key,
                             const std::string& name, const std::string& password) {
  TRY_VOID(CheckKeyPair(chain, private_key));
  TRY(const auto certificates, openssl::ReadCertificates(chain));
  TRY(const KeyPtr key, openssl::ReadPrivateKey(private_key));
  using StackPtr =
      std::unique_ptr<STACK_OF(X509),
                      openssl::Deleter<[](STACK_OF(X509) * stack) { sk_X509_free(stack); }>>;
  const StackPtr others(sk_X509_new_null());
  for (size_t i = 1; i < certificates.size(); ++i) {
    if (sk_X509_push(others.get(), certificates[i].get()) <= 0) std::abort();
  }
  // PKCS12_create() uses AES-256 and SHA-256, the defaults of OpenSSL 3.
  using BundlePtr = std::unique_ptr<PKCS12, openssl::Deleter<PKCS12_free>>;
  const BundlePtr bundle(PKCS12_create(password.c_str(), name.c_str(), key.get(),
                                       certificates.front().get(), others.get(), 0, 0, 0, 0, 0));
  const openssl::BioPtr bytes = openssl::Writer();
  if (bundle == nullptr || i2d_PKCS12_bio(bytes.get(), bundle.get()) != 1) {
    return LibraryError("making a PKCS#12 file");
  }
  return openssl::Written(bytes.get());
}

Result<Description> Describe(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  X509* certificate = certificates.front().get();
  Description description;
  description.subject = SubjectOf(certificate);
  description.fingerprint = openssl::FingerprintOf(certificate);
  const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(certificate);
  if (id != nullptr) {
    description.key_id = ToHex({reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(id)),
                                static_cast<size_t>(ASN1_STRING_length(id))});
  }
  description.key = DescribeKey(X509_get0_pubkey(certificate));
  TRY(description.not_before, openssl::NotBeforeOf(certificate));
  TRY(description.not_after, openssl::NotAfterOf(certificate));
  return description;
}

}  // namespace outport::pki
