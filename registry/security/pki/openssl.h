#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/pki/identity.h"

// OpenSSL's objects with owners, for the .cc files of this floor alone.
namespace outport::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};

using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using ListPtr = std::unique_ptr<X509_CRL, Deleter<X509_CRL_free>>;
using RequestPtr = std::unique_ptr<X509_REQ, Deleter<X509_REQ_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using NumberPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;
using ConnectionPtr = std::unique_ptr<SSL, Deleter<SSL_free>>;

// "reading the key: CAUSE", with the reason that OpenSSL left on this thread; empties its queue.
Error LibraryError(std::string_view operation, ErrorCode code = ErrorCode::kInternal);

// A BIO that reads `text`, which must outlive it. Aborts when memory is out.
BioPtr Reader(std::string_view text);
// A BIO that writes to memory, wiped when freed; Written() copies what it holds.
BioPtr Writer();
std::string Written(BIO* bio);

// kInvalidArgument if there is none, or if it is encrypted.
Result<KeyPtr> ReadPrivateKey(std::string_view pem);
// All certificates in `pem`, in its order; kInvalidArgument if there is none.
Result<std::vector<CertificatePtr>> ReadCertificates(std::string_view pem);
// The same of revocation lists.
Result<std::vector<ListPtr>> ReadRevocationLists(std::string_view pem);
std::string ToPem(X509* certificate);
// PKCS#8.
std::string ToPem(EVP_PKEY* key);

// Lowercase hex SHA-256 of the DER of a certificate, or of a public key (SubjectPublicKeyInfo).
std::string FingerprintOf(X509* certificate);
std::string FingerprintOf(EVP_PKEY* key);
Result<std::chrono::system_clock::time_point> NotBeforeOf(const X509* certificate);
Result<std::chrono::system_clock::time_point> NotAfterOf(const X509* certificate);
// When a newer list is to have replaced it; kInvalidArgument if it does not say.
Result<std::chrono::system_clock::time_point> NextUpdateOf(const X509_CRL* list);
// kInvalidArgument for any key but ECDSA P-256 and P-384 and RSA of 2048 to 8192 bits; more would
// be a burden on every handshake.
Result<void> CheckKeyStrength(EVP_PKEY* key);
// Fills in what the authority says of a certificate beside its holder: serial, issuer, end.
Result<void> DescribeIssue(X509* certificate, CertificateIdentity& identity);
// What DescribeIssue() says too. kCertificateInvalid unless the certificate has exactly one URI
// among its names and that is a SPIFFE id of ours.
Result<CertificateIdentity> IdentityOf(X509* certificate);

}  // namespace outport::openssl
