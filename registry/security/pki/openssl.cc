#include "registry/security/pki/openssl.h"

#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdlib>
#include <ctime>

#include "registry/base/bytes.h"
#include "registry/security/pki/pem.h"

namespace outport::openssl {
namespace {

constexpr int kLeastRsaBits = 2048;
constexpr int kMostRsaBits = 8192;

std::string LowerHex(const ASN1_STRING* text) {
  if (text == nullptr) return {};
  const auto* data = reinterpret_cast<const std::byte*>(ASN1_STRING_get0_data(text));
  return ToHex({data, static_cast<size_t>(ASN1_STRING_length(text))});
}

Result<std::chrono::system_clock::time_point> ToTimePoint(const ASN1_TIME* time,
                                                          std::string_view what) {
  tm utc{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &utc) != 1) {
    return LibraryError("reading " + std::string(what), ErrorCode::kInvalidArgument);
  }
  return std::chrono::system_clock::from_time_t(timegm(&utc));
}

// Returns all objects of `kind` in `pem`, in order. `Decode` is a d2i function of OpenSSL, and must
// use all bytes of a block.
template <class T, auto Decode>
Result<std::vector<T>> ReadAll(std::string_view pem, pem::Kind kind) {
  TRY(const std::vector<pem::Block> blocks, pem::Split(pem, kind));
  std::vector<T> found;
  for (const pem::Block& block : blocks) {
    const auto* next = reinterpret_cast<const unsigned char*>(block.der.data());
    const auto* const end = next + block.der.size();
    T object(Decode(nullptr, &next, static_cast<long>(block.der.size())));
    ERR_clear_error();
    if (object == nullptr || next != end) {
      return pem::Invalid(block, "it is not a valid " + std::string(ToString(kind)));
    }
    found.push_back(std::move(object));
  }
  return found;
}

}  // namespace

Error LibraryError(std::string_view operation, ErrorCode code) {
  const unsigned long number = ERR_peek_last_error();
  const char* reason = number == 0 ? nullptr : ERR_reason_error_string(number);
  ERR_clear_error();
  return Error{code, std::string(operation) + ": " + (reason == nullptr ? "failed" : reason)};
}

BioPtr Reader(std::string_view text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (bio == nullptr) std::abort();
  return bio;
}

BioPtr Writer() {
  BioPtr bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr) std::abort();
  return bio;
}

std::string Written(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

int RejectPassphrase(char*, int, int, void*) { return -1; }

Result<KeyPtr> ReadPrivateKey(std::string_view pem) {
  TRY(const std::vector<pem::Block> blocks, pem::Split(pem, pem::Kind::kPrivateKey));
  const pem::Block& first = blocks.front();
  const BioPtr bio = Reader(first.text);
  KeyPtr key(first.encrypted
                 ? nullptr
                 : PEM_read_bio_PrivateKey(bio.get(), nullptr, RejectPassphrase, nullptr));
  ERR_clear_error();
  if (key != nullptr) return key;
  return pem::Invalid(first, "the private key cannot be read; use a PEM file without a passphrase");
}

Result<std::vector<CertificatePtr>> ReadCertificates(std::string_view pem) {
  return ReadAll<CertificatePtr, d2i_X509>(pem, pem::Kind::kCertificate);
}

Result<std::vector<ListPtr>> ReadRevocationLists(std::string_view pem) {
  return ReadAll<ListPtr, d2i_X509_CRL>(pem, pem::Kind::kRevocationList);
}

std::string ToPem(X509* certificate) {
  const BioPtr bio = Writer();
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) std::abort();
  return Written(bio.get());
}

std::string ToPem(EVP_PKEY* key) {
  const BioPtr bio = Writer();
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    std::abort();
  }
  return Written(bio.get());
}

std::string FingerprintOf(X509* certificate) {
  std::array<std::byte, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), reinterpret_cast<unsigned char*>(digest.data()),
                  &size) != 1) {
    std::abort();
  }
  return ToHex(Bytes(digest).first(size));
}

std::string FingerprintOf(EVP_PKEY* key) {
  const BioPtr der = Writer();
  if (i2d_PUBKEY_bio(der.get(), key) != 1) std::abort();
  const std::string bytes = Written(der.get());
  std::array<std::byte, 32> digest;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 nullptr, EVP_sha256(), nullptr) != 1) {
    std::abort();
  }
  return ToHex(digest);
}

Result<std::chrono::system_clock::time_point> NotBeforeOf(const X509* certificate) {
  return ToTimePoint(X509_get0_notBefore(certificate), "the certificate's beginning");
}

Result<std::chrono::system_clock::time_point> NotAfterOf(const X509* certificate) {
  return ToTimePoint(X509_get0_notAfter(certificate), "the certificate's end");
}

Result<std::chrono::system_clock::time_point> NextUpdateOf(const X509_CRL* list) {
  return ToTimePoint(X509_CRL_get0_nextUpdate(list), "the revocation list's end");
}

Result<std::chrono::system_clock::time_point> ThisUpdateOf(const X509_CRL* list) {
  return ToTimePoint(X509_CRL_get0_lastUpdate(list), "the revocation list's beginning");
}

std::string NumberOf(const X509_CRL* list) {
  using IntegerPtr = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER_free>>;
  const IntegerPtr number(
      static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(list, NID_crl_number, nullptr, nullptr)));
  ERR_clear_error();
  if (number == nullptr || ASN1_STRING_type(number.get()) != V_ASN1_INTEGER) return {};
  return std::string(reinterpret_cast<const char*>(ASN1_STRING_get0_data(number.get())),
                     static_cast<size_t>(ASN1_STRING_length(number.get())));
}

X509* IssuerOf(X509_CRL* list, const std::vector<CertificatePtr>& authorities) {
  for (const auto& authority : authorities) {
    if (X509_NAME_cmp(X509_CRL_get_issuer(list), X509_get_subject_name(authority.get())) != 0) {
      continue;
    }
    const bool good = X509_CRL_verify(list, X509_get0_pubkey(authority.get())) == 1;
    ERR_clear_error();
    if (good) return authority.get();
  }
  return nullptr;
}

Result<void> CheckKeyStrength(EVP_PKEY* key) {
  if (key != nullptr && EVP_PKEY_is_a(key, "RSA") == 1) {
    const int bits = EVP_PKEY_get_bits(key);
    if (bits >= kLeastRsaBits && bits <= kMostRsaBits) return {};
  }
  if (key != nullptr && EVP_PKEY_is_a(key, "EC") == 1) {
    std::string group(64, '\0');
    size_t size = 0;
    if (EVP_PKEY_get_group_name(key, group.data(), group.size(), &size) == 1) {
      group.resize(size);
      if (group == SN_X9_62_prime256v1 || group == SN_secp384r1) return {};
    }
  }
  ERR_clear_error();
  return Error{ErrorCode::kInvalidArgument,
               "its key is not accepted; use ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits"};
}

Result<void> DescribeIssue(X509* certificate, CertificateIdentity& identity) {
  identity.serial = LowerHex(X509_get0_serialNumber(certificate));
  identity.issuer_key_id = LowerHex(X509_get0_authority_key_id(certificate));
  TRY(identity.not_after, NotAfterOf(certificate));
  return {};
}

Result<CertificateIdentity> IdentityOf(X509* certificate) {
  using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  ERR_clear_error();
  std::vector<std::string> uris;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    const ASN1_STRING* uri = name->d.uniformResourceIdentifier;
    uris.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(uri)),
                      static_cast<size_t>(ASN1_STRING_length(uri)));
  }
  if (uris.size() != 1) {
    return Error{ErrorCode::kCertificateInvalid,
                 "the certificate does not have exactly one spiffe:// name of the fleet"};
  }
  Result<CertificateIdentity> identity = ParseSpiffeId(uris.front());
  if (!identity.has_value()) {
    return Error{ErrorCode::kCertificateInvalid, identity.error().message};
  }
  TRY_VOID(DescribeIssue(certificate, *identity));
  // A revocation names the issuer by this key id, so the id must be present. OpenSSL has checked a
  // present id against the key that signed the certificate.
  if (!identity->issuer_key_id.empty()) return identity;
  return Error{ErrorCode::kCertificateInvalid, "the certificate has no authority key identifier"};
}

}  // namespace outport::openssl
