#pragma once

#include <openssl/x509v3.h>

#include <chrono>
#include <string>
#include <string_view>

#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

// Code that both pki.cc (leaf certificates) and pki_authority.cc (CA certificates) use.
namespace outport::pki {

// Certificates become valid this long before they are issued, so that machines whose clock is slow
// accept them at once.
inline constexpr std::chrono::minutes kClockSkew{5};

// A certificate under construction. If any call fails, Sign() returns the error.
class Draft {
 public:
  Draft() : certificate_(X509_new()) {
    Check(certificate_ != nullptr && X509_set_version(certificate_.get(), X509_VERSION_3) == 1);
    constexpr int kSerialBits = 128;
    const openssl::NumberPtr serial(BN_new());
    Check(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
          BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate_.get())) != nullptr);
  }

  X509* get() { return certificate_.get(); }

  void SetValidity(std::chrono::system_clock::time_point from,
                   std::chrono::system_clock::time_point until) {
    const time_t begin = std::chrono::system_clock::to_time_t(from);
    const time_t end = std::chrono::system_clock::to_time_t(until);
    Check(ASN1_TIME_set(X509_getm_notBefore(get()), begin) != nullptr &&
          ASN1_TIME_set(X509_getm_notAfter(get()), end) != nullptr);
  }
  void SetSubject(const std::string& common_name) {
    Check(X509_NAME_add_entry_by_txt(X509_get_subject_name(get()), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1);
  }
  void SetKey(EVP_PKEY* key) { Check(X509_set_pubkey(get(), key) == 1); }
  // Call it before AddExtension(), because the authority key identifier comes from the issuer.
  void SetIssuer(X509* issuer) {
    issuer_ = issuer;
    Check(X509_set_issuer_name(get(), X509_get_subject_name(issuer)) == 1);
  }
  // `value` has the syntax of an openssl configuration file. Never pass user input.
  void AddExtension(int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer_, get(), nullptr, nullptr, 0);
    const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    Check(extension != nullptr && X509_add_ext(get(), extension.get(), -1) == 1);
  }
  void AddNames(GENERAL_NAMES* names) {
    Check(X509_add1_ext_i2d(get(), NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
  }
  Result<openssl::CertificatePtr> Sign(EVP_PKEY* key) {
    Check(X509_sign(get(), key, EVP_sha256()) > 0);
    if (failed_) return openssl::LibraryError("making a certificate");
    return std::move(certificate_);
  }

 private:
  void Check(bool good) { failed_ = failed_ || !good; }

  openssl::CertificatePtr certificate_;
  X509* issuer_ = nullptr;
  bool failed_ = false;
};

// Returns the public key of a PKCS#10 request, after checking that the holder of its private key
// signed the request.
Result<openssl::KeyPtr> KeyOfRequest(std::string_view pem);

struct Issuer {
  openssl::CertificatePtr certificate;
  openssl::KeyPtr key;
};
// Loads a CA for signing. kInvalidArgument if the private key does not belong to the certificate;
// the error calls the CA `what`.
Result<Issuer> LoadIssuer(const KeyPair& pair, const std::string& what = "the issuing CA");

}  // namespace outport::pki
