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

// Owning pointers and helpers for OpenSSL, for the .cc files of registry/security alone.
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

// "reading the key: CAUSE", with the cause from OpenSSL's error queue of this thread. Clears the
// queue.
Error LibraryError(std::string_view operation, ErrorCode code = ErrorCode::kInternal);

// A BIO that reads `text`, which must outlive it. Aborts if no memory is left.
BioPtr Reader(std::string_view text);
// A BIO that writes to memory, which is wiped when freed. Written() copies its content.
BioPtr Writer();
std::string Written(BIO* bio);

// kInvalidArgument if `pem` has no private key, or an encrypted one.
Result<KeyPtr> ReadPrivateKey(std::string_view pem);
// All certificates in `pem`, in order; kInvalidArgument if it has none.
Result<std::vector<CertificatePtr>> ReadCertificates(std::string_view pem);
// All revocation lists in `pem`, in order; kInvalidArgument if it has none.
Result<std::vector<ListPtr>> ReadRevocationLists(std::string_view pem);
std::string ToPem(X509* certificate);
// PKCS#8.
std::string ToPem(EVP_PKEY* key);

// Lowercase hex SHA-256 of the DER of a certificate, or of a public key (SubjectPublicKeyInfo).
std::string FingerprintOf(X509* certificate);
std::string FingerprintOf(EVP_PKEY* key);
Result<std::chrono::system_clock::time_point> NotBeforeOf(const X509* certificate);
Result<std::chrono::system_clock::time_point> NotAfterOf(const X509* certificate);
// The time by which a newer list replaces `list`; kInvalidArgument if the list does not have it.
Result<std::chrono::system_clock::time_point> NextUpdateOf(const X509_CRL* list);
// kInvalidArgument unless the key is ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits. Larger keys
// would make every handshake slow.
Result<void> CheckKeyStrength(EVP_PKEY* key);
// Fills serial, issuer and end of validity into `identity`.
Result<void> DescribeIssue(X509* certificate, CertificateIdentity& identity);
// The holder, and the fields of DescribeIssue(). kCertificateInvalid unless the certificate has
// exactly one URI SAN, and that is a SPIFFE id of the fleet's form.
Result<CertificateIdentity> IdentityOf(X509* certificate);

}  // namespace outport::openssl
