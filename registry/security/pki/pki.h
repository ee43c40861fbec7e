#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/pki/identity.h"

// The fleet's private certificate authority. All certificates and keys are PEM text; nothing here
// reads or writes files. Slow: not for the path of a request. Does not block.
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

// The two tiers of the fleet's authority. `root` signs `issuing`, which signs leaf certificates.
struct Authority {
  std::string domain;  // of the SPIFFE ids: "outport"
  KeyPair root;        // private_key may be empty: it may be kept offline
  KeyPair issuing;
};

enum class KeyType { kEcdsaP256, kEcdsaP384, kRsa2048, kRsa4096 };
// "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096".
Result<KeyType> ParseKeyType(std::string_view text);
// The type of the key in the first certificate of `pem`. Sizes in between count as the stronger
// type.
Result<KeyType> KeyTypeOf(std::string_view pem);
// The key type for a replacement of the certificate `pem`: ParseKeyType(text); if `text` is empty,
// the type of the certificate's key.
Result<KeyType> ReplacementKeyType(std::string_view text, std::string_view pem);

std::string CreatePrivateKey(KeyType type = KeyType::kEcdsaP256);

// A new two-tier authority: a root of 20 years, an issuing CA of 5.
Result<Authority> CreateAuthority(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
// CreateRoot() creates only a root. IssueIssuingCa() returns the certificate of an issuing CA for
// the key of `request` (PKCS#10, PEM); it does not outlast the root.
Result<KeyPair> CreateRoot(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
Result<std::string> IssueIssuingCa(const KeyPair& root, std::string_view request,
                                   const std::string& domain);

// Creates a PKCS#10 request, signed to prove possession of the key. Issue() ignores its subject.
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

// Signs the key of `request`. kInvalidArgument if its signature is wrong or its key is weak
// (anything but ECDSA P-256/P-384 and RSA of at least 2048 bits).
Result<IssuedCertificate> Issue(const Authority& authority, std::string_view request,
                                const LeafOptions& options);

// Checks host names as Issue() does. kInvalidArgument names the first that is neither a DNS name
// nor an IP address.
Result<void> CheckHostNames(const std::vector<std::string>& host_names);

// Lowercase hex SHA-256 of the public key of `request`; the same errors as Issue().
Result<std::string> KeyFingerprint(std::string_view request);

// A binary PKCS#12 file with a key and its certificate chain, for browsers and keychains. They show
// `name`; `password` decrypts it.
Result<std::string> ToPkcs12(std::string_view chain, std::string_view private_key,
                             const std::string& name, const std::string& password);

// kInvalidArgument unless both can be read and the key belongs to the first certificate.
Result<void> CheckKeyPair(std::string_view certificate, std::string_view private_key);

// Checks that both certificates can be read, that the root signed the issuing CA, and that the
// issuing key belongs to it. kInvalidArgument names the wrong part.
Result<void> CheckAuthority(const Authority& authority);

// kInvalidArgument unless the first certificate is valid for this host name or IP address.
Result<void> CheckHost(std::string_view certificate, const std::string& host);

// The DNS names and IP addresses of the first certificate, in the form that Issue() accepts.
Result<std::vector<std::string>> HostNames(std::string_view certificate);

// The certificates of `pem`, each as its own PEM text.
Result<std::vector<std::string>> SplitCertificates(std::string_view pem);

// The chain `pem` without its leaf: all but the first certificate, as PEM.
Result<std::string> IssuerChain(std::string_view pem);

// Lowercase hex SHA-256 of the text `pem`. Nodes report their trust bundle and their chains by it.
std::string BundleHash(std::string_view pem);

// Lowercase hex SHA-256 of the DER of the first certificate in `pem`.
Result<std::string> Fingerprint(std::string_view pem);

// The identity in the first certificate of `pem`, unverified.
Result<CertificateIdentity> Inspect(std::string_view pem);
Result<std::chrono::system_clock::time_point> NotAfter(std::string_view pem);

// Fields of the first certificate of `pem`, unverified.
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
