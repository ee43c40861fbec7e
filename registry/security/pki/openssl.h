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

// Owning pointers and helpers for OpenSSL. Only the .cc files of registry/security use them.
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

// Makes an error like "reading the key: CAUSE". Takes the cause from this thread's OpenSSL error
// queue, and clears the queue.
Error LibraryError(std::string_view operation, ErrorCode code = ErrorCode::kInternal);

// Returns a BIO that reads `text`. `text` must outlive the BIO. Aborts if no memory is left.
BioPtr Reader(std::string_view text);
// Returns a BIO that writes to memory. OpenSSL wipes this memory when it frees it. Written()
// returns a copy of the content.
BioPtr Writer();
std::string Written(BIO* bio);

// A callback of OpenSSL's PEM readers that rejects encrypted text. Without it, OpenSSL would ask
// for the passphrase on the terminal, and would block the daemon.
int RejectPassphrase(char* buffer, int size, int writes, void* data);
// Returns the first private key in `pem`. kInvalidArgument if there is none, if it is encrypted, or
// with the errors of pem::Split().
Result<KeyPtr> ReadPrivateKey(std::string_view pem);
// Returns all certificates in `pem`, in order. kInvalidArgument if there are none, or with the
// errors of pem::Split().
Result<std::vector<CertificatePtr>> ReadCertificates(std::string_view pem);
// Returns all revocation lists in `pem`, in order. kInvalidArgument if there are none, or with the
// errors of pem::Split().
Result<std::vector<ListPtr>> ReadRevocationLists(std::string_view pem);
std::string ToPem(X509* certificate);
// Returns the private key in PKCS#8 format.
std::string ToPem(EVP_PKEY* key);

// Lowercase hex SHA-256 of the DER encoding of a certificate, or of the public key of a key pair
// (SubjectPublicKeyInfo).
std::string FingerprintOf(X509* certificate);
std::string FingerprintOf(EVP_PKEY* key);
Result<std::chrono::system_clock::time_point> NotBeforeOf(const X509* certificate);
Result<std::chrono::system_clock::time_point> NotAfterOf(const X509* certificate);
// Returns the time at which `list` expires (nextUpdate). kInvalidArgument if the list has no such
// time.
Result<std::chrono::system_clock::time_point> NextUpdateOf(const X509_CRL* list);
// Returns the time at which the authority issued `list` (thisUpdate).
Result<std::chrono::system_clock::time_point> ThisUpdateOf(const X509_CRL* list);
// Returns the CRL number of `list`, big-endian without leading zeros. Empty if it has none.
std::string NumberOf(const X509_CRL* list);
// Returns the authority that issued and signed `list`; null if it is none of `authorities`.
X509* IssuerOf(X509_CRL* list, const std::vector<CertificatePtr>& authorities);
// kInvalidArgument unless the key is ECDSA P-256 or P-384, or RSA of 2048 to 8192 bits. A larger
// RSA key would make every handshake slow.
Result<void> CheckKeyStrength(EVP_PKEY* key);
// Sets the serial, the issuer and the end of validity in `identity`.
Result<void> DescribeIssue(X509* certificate, CertificateIdentity& identity);
// Returns the holder of the certificate, and the fields that DescribeIssue() sets.
// kCertificateInvalid unless the certificate has exactly one URI SAN and this is
// spiffe://DOMAIN/ROLE/NAME.
Result<CertificateIdentity> IdentityOf(X509* certificate);

}  // namespace outport::openssl
