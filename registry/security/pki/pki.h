#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/pki/identity.h"

// The fleet's private certificate authority. Everything is PEM text; nothing here touches files.
// Not for the hot path; does not block.
namespace outport::pki {

struct KeyPair {
  std::string certificate;  // PEM
  std::string private_key;  // PEM (PKCS#8); wiped with it

  KeyPair(std::string certificate_in = {}, std::string private_key_in = {})
      : certificate(std::move(certificate_in)), private_key(std::move(private_key_in)) {}
  KeyPair(const KeyPair&) = default;
  KeyPair(KeyPair&&) = default;
  KeyPair& operator=(const KeyPair&) = default;
  KeyPair& operator=(KeyPair&&) = default;
  ~KeyPair() { Wipe(private_key); }
};

// The certificates of the fleet's authority: leaf certificates are signed by `issuing`, which
// `root` signs.
struct Authority {
  std::string domain;  // of the SPIFFE ids: "outport"
  KeyPair root;        // root.private_key may be empty: it can live offline
  KeyPair issuing;
};

enum class KeyType { kEcdsaP256, kEcdsaP384, kRsa2048, kRsa4096 };
// "ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-4096".
Result<KeyType> ParseKeyType(std::string_view text);
// Of the key in the first certificate of `pem`. What has a size between is of the stronger type.
Result<KeyType> KeyTypeOf(std::string_view pem);
// What ParseKeyType() says of `text`; where that is empty, the type of the certificate's key, which
// the new one replaces.
Result<KeyType> TypeOfNext(std::string_view text, std::string_view pem);

std::string CreatePrivateKey(KeyType type = KeyType::kEcdsaP256);

// A new two-tier authority: a root of 20 years, an issuing CA of 5.
Result<Authority> CreateAuthority(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
// Its parts: a root alone; and the certificate of an issuing CA for the key of `request` (PKCS#10,
// PEM), which ends with its root at the latest.
Result<KeyPair> CreateRoot(const std::string& domain, KeyType type = KeyType::kEcdsaP256);
Result<std::string> IssueAuthority(const KeyPair& root, std::string_view request,
                                   const std::string& domain);

// A PKCS#10 request that proves possession of the key. The subject in it is ignored by Issue().
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

// What Issue() asks of host names; kInvalidArgument names the one that is neither a DNS name nor an
// IP address.
Result<void> CheckHostNames(const std::vector<std::string>& host_names);

// Lowercase hex SHA-256 of the public key of `request`; refuses what Issue() would refuse.
Result<std::string> KeyFingerprint(std::string_view request);

// A PKCS#12 file (binary) of a key, its certificate and what that chains to (PEM), as browsers and
// keychains import it. `name` is shown there; `password` opens it.
Result<std::string> ToPkcs12(std::string_view chain, std::string_view private_key,
                             const std::string& name, const std::string& password);

// kInvalidArgument unless both can be read and the key is that of the first certificate.
Result<void> CheckKeyPair(std::string_view certificate, std::string_view private_key);

// kInvalidArgument says which part is wrong, unless both certificates can be read, the root has
// signed the issuing CA's, and the issuing key is that certificate's.
Result<void> CheckAuthority(const Authority& authority);

// kInvalidArgument unless the first certificate is for this host name or IP address.
Result<void> CheckHost(std::string_view certificate, const std::string& host);

// The DNS names and IP addresses that the first certificate is for, as Issue() takes them.
Result<std::vector<std::string>> HostNames(std::string_view certificate);

// Each certificate of `pem` by itself, as PEM.
Result<std::vector<std::string>> Split(std::string_view pem);

// All but the first certificate of `pem`: what stands behind the leaf of a chain, as PEM.
Result<std::string> Behind(std::string_view pem);

// Lowercase hex SHA-256 of `pem` as it stands, by which nodes tell what they trust and show.
std::string BundleHash(std::string_view pem);

// Lowercase hex SHA-256 of the DER of the first certificate in `pem`.
Result<std::string> Fingerprint(std::string_view pem);

// The identity in the first certificate of `pem`, unverified.
Result<CertificateIdentity> Inspect(std::string_view pem);
Result<std::chrono::system_clock::time_point> NotAfter(std::string_view pem);

// What the first certificate of `pem` says of itself, unverified.
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
