#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/pki/identity.h"

// The fleet's private certificate authority. All certificates and keys are PEM text. No function
// here reads or writes a file, or blocks. The functions compute for a long time, so do not call
// them while serving a registry request.
namespace outport::pki {

struct KeyPair {
  std::string certificate;  // PEM
  std::string private_key;  // PEM (PKCS#8); wiped by the destructor

  KeyPair(std::string certificate_in = {}, std::string private_key_in = {})
      : certificate(std::move(certificate_in)), private_key(std::move(private_key_in)) {}
  KeyPair(const KeyPair&) = default;
  KeyPair(KeyPair&&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  KeyPair& operator=(KeyPair&&) = default;
  ~KeyPair() { Wipe(private_key); }
};

// The fleet's certificate authority in two tiers: `root` signs `issuing`, and `issuing` signs leaf
// certificates.
struct Authority {
  std::string domain;  // the domain in SPIFFE ids: "outport"
  KeyPair root;        // private_key is empty if it is kept offline
  KeyPair issuing;
};

enum class KeyType { kEcdsaP256, kEcdsaP384, kRsa2048, kRsa4096 };
// Parses "ecdsa-p256", "ecdsa-p384", "rsa-2048" or "rsa-4096".
Result<KeyType> ParseKeyType(std::string_view text);
// Returns the type of the key in the first certificate of `pem`. A key size between two types is
// rounded up: RSA of 3072 bits gives kRsa4096.
Result<KeyType> KeyTypeOf(std::string_view pem);
// Returns the key type for a replacement of the certificate `pem`. This is ParseKeyType(text), or
// the type of the certificate's own key if `text` is empty.
Result<KeyType> ReplacementKeyType(std::string_view text, std::string_view pem);

std::string CreatePrivateKey(KeyType type = KeyType::kEcdsaP256);

// Creates a new authority. Its root is valid for 20 years, and its issuing CA for 5 years.
Result<Authority> CreateAuthority(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
// CreateRoot() creates only a root. IssueIssuingCa() returns the certificate of an issuing CA for
// the key of `request` (PKCS#10, PEM). This certificate does not outlast the root.
Result<KeyPair> CreateRoot(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
Result<std::string> IssueIssuingCa(const KeyPair& root, std::string_view request,
                                   const std::string& domain);

// Creates a PKCS#10 request, and signs it to prove possession of the key. The request needs no
// subject, because Issue() ignores the subject.
Result<std::string> CreateRequest(std::string_view private_key);

struct LeafOptions {
  Role role = Role::kClient;
  std::string name;                          // goes into the URI SAN and the CN
  std::vector<std::string> host_names = {};  // DNS names or IP addresses, for server certificates
  bool server = false;                       // extended key usage serverAuth
  bool client = true;                        // extended key usage clientAuth
  std::chrono::seconds lifetime{0};
};

struct IssuedCertificate {
  std::string certificate;  // PEM of the leaf alone
  std::string serial;       // lowercase hex, 128 random bits
  std::string issuer_key_id;
  std::chrono::system_clock::time_point not_after;
};

// Issues a certificate for the key of `request`. kInvalidArgument if the signature of `request` is
// wrong, or if CheckKeyStrength() does not accept its key.
Result<IssuedCertificate> Issue(const Authority& authority, std::string_view request,
                                const LeafOptions& options);

// Checks host names as Issue() does. kInvalidArgument names the first text that is neither a DNS
// name nor an IP address.
Result<void> CheckHostNames(const std::vector<std::string>& host_names);

// Returns the lowercase hex SHA-256 of the public key of `request`. This rejects the same requests
// as Issue().
Result<std::string> KeyFingerprint(std::string_view request);

// Returns a binary PKCS#12 file with a key and its certificate chain, for browsers and keychains.
// They list the certificate as `name`. `password` encrypts the file.
Result<std::string> ToPkcs12(std::string_view chain, std::string_view private_key,
                             const std::string& name, const std::string& password);

// kInvalidArgument unless `certificate` and `private_key` can be read and the key belongs to the
// first certificate.
Result<void> CheckKeyPair(std::string_view certificate, std::string_view private_key);

// Checks that both certificates can be read, that the root signed the issuing CA, and that the
// issuing key belongs to the issuing CA. kInvalidArgument names the wrong part.
Result<void> CheckAuthority(const Authority& authority);

// kInvalidArgument unless the first certificate is valid for this host name or IP address.
Result<void> CheckHost(std::string_view certificate, const std::string& host);

// Returns the DNS names and IP addresses of the first certificate, in the form that Issue()
// accepts.
Result<std::vector<std::string>> HostNames(std::string_view certificate);

// Returns the certificates in `pem`, each as its own PEM text.
Result<std::vector<std::string>> SplitCertificates(std::string_view pem);

// Returns the chain `pem` without its leaf: all certificates but the first, as PEM.
Result<std::string> IssuerChain(std::string_view pem);

// Returns the lowercase hex SHA-256 of the text `pem`. Nodes report this hash of their trust bundle
// and of their chains to the store.
std::string BundleHash(std::string_view pem);

// Returns the lowercase hex SHA-256 of the DER encoding of the first certificate in `pem`.
Result<std::string> Fingerprint(std::string_view pem);

// Returns the identity in the first certificate of `pem`. Does not verify the certificate.
Result<CertificateIdentity> Inspect(std::string_view pem);
Result<std::chrono::system_clock::time_point> NotAfter(std::string_view pem);

// The time in which the first certificate of a PEM text is valid.
struct Validity {
  std::chrono::system_clock::time_point begin;
  std::chrono::system_clock::time_point end;
};
Result<Validity> ValidityOf(std::string_view pem);

// Fields of the first certificate of a PEM text. Describe() does not verify the certificate.
struct Description {
  std::string subject;  // "CN=Outport root"
  std::string fingerprint;
  std::string key_id;  // lowercase hex of the subject key identifier
  std::string key;     // "ECDSA P-256", "RSA 4096"
  std::chrono::system_clock::time_point not_before;
  std::chrono::system_clock::time_point not_after;
};
Result<Description> Describe(std::string_view pem);

}  // namespace outport::pki
