#include <openssl/x509v3.h>

#include <algorithm>

#include "registry/security/pki/certificate_draft.h"
#include "registry/security/pki/openssl.h"
#include "registry/security/pki/pki.h"

namespace outport::pki {
namespace {

using openssl::CertificatePtr;
using openssl::KeyPtr;
using std::chrono::system_clock;

constexpr std::chrono::days kRootLifetime{20 * 365};
constexpr std::chrono::days kIssuingLifetime{5 * 365};
constexpr size_t kMaxRequestBytes = 64 << 10;

// Returns the common name of a CA, at most 64 bytes. The name includes the beginning of the key's
// fingerprint, so that successive CAs have different names.
std::string NameOf(const std::string& domain, const char* kind, EVP_PKEY* key) {
  return domain.substr(0, 40) + " " + kind + " CA " + openssl::FingerprintOf(key).substr(0, 8);
}

// Makes a CA certificate. If `issuer` is null, the certificate is self-signed.
Result<CertificatePtr> MakeCa(const std::string& domain, EVP_PKEY* key, const Issuer* issuer,
                              EVP_PKEY* own_key) {
  const bool is_root = issuer == nullptr;
  const auto now = system_clock::now();
  auto end = now + system_clock::duration(is_root ? kRootLifetime : kIssuingLifetime);
  if (!is_root) {
    TRY(const auto issuer_end, openssl::NotAfterOf(issuer->certificate.get()));
    end = std::min(end, issuer_end);
  }
  Draft draft;
  draft.SetValidity(now - kClockSkew, end);
  draft.SetSubject(NameOf(domain, is_root ? "root" : "issuing", key));
  draft.SetKey(key);
  draft.SetIssuer(is_root ? draft.get() : issuer->certificate.get());
  draft.AddExtension(NID_basic_constraints,
                     is_root ? "critical,CA:TRUE,pathlen:1" : "critical,CA:TRUE,pathlen:0");
  draft.AddExtension(NID_key_usage, "critical,keyCertSign,cRLSign");
  draft.AddExtension(NID_subject_key_identifier, "hash");
  draft.AddExtension(NID_authority_key_identifier, "keyid:always");
  return draft.Sign(is_root ? own_key : issuer->key.get());
}

}  // namespace

Result<KeyPtr> KeyOfRequest(std::string_view pem) {
  if (pem.size() > kMaxRequestBytes) {
    return Error{ErrorCode::kInvalidArgument, "the certificate request is larger than 64 KiB"};
  }
  const openssl::BioPtr bio = openssl::Reader(pem);
  const openssl::RequestPtr request(
      PEM_read_bio_X509_REQ(bio.get(), nullptr, openssl::RejectPassphrase, nullptr));
  KeyPtr key(request == nullptr ? nullptr : X509_REQ_get_pubkey(request.get()));
  if (key == nullptr) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument, "the certificate request is not PKCS#10 in PEM"};
  }
  if (auto strong = openssl::CheckKeyStrength(key.get()); !strong.has_value()) {
    return std::move(strong).error().Within("the certificate request");
  }
  if (X509_REQ_verify(request.get(), key.get()) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument,
                 "the certificate request is not signed by the key that it contains"};
  }
  return key;
}

Result<Issuer> LoadIssuer(const KeyPair& pair, const std::string& what) {
  auto certificates = openssl::ReadCertificates(pair.certificate);
  if (!certificates.has_value()) return std::move(certificates).error().Within(what);
  auto key = openssl::ReadPrivateKey(pair.private_key);
  if (!key.has_value()) return std::move(key).error().Within(what);
  Issuer issuer{std::move(certificates->front()), *std::move(key)};
  if (X509_check_private_key(issuer.certificate.get(), issuer.key.get()) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument,
                 what + ": the private key does not belong to the certificate"};
  }
  return issuer;
}

Result<KeyPair> CreateRoot(const std::string& domain, KeyType type) {
  if (!ParseSpiffeId(ToSpiffeId(domain, Role::kStore, "store")).has_value()) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + domain + "' is not a valid domain; use a-z, 0-9, '.', '_' and '-'"};
  }
  TRY(const KeyPtr key, openssl::ReadPrivateKey(CreatePrivateKey(type)));
  TRY(const CertificatePtr root, MakeCa(domain, key.get(), nullptr, key.get()));
  return KeyPair{openssl::ToPem(root.get()), openssl::ToPem(key.get())};
}

Result<std::string> IssueIssuingCa(const KeyPair& root, std::string_view request,
                                   const std::string& domain) {
  TRY(const Issuer issuer, LoadIssuer(root, "the root"));
  TRY(const KeyPtr key, KeyOfRequest(request));
  TRY(const CertificatePtr issuing, MakeCa(domain, key.get(), &issuer, nullptr));
  return openssl::ToPem(issuing.get());
}

Result<Authority> CreateAuthority(const std::string& domain, KeyType type) {
  TRY(KeyPair root, CreateRoot(domain, type));
  KeyPair issuing("", CreatePrivateKey(type));
  TRY(const std::string request, CreateRequest(issuing.private_key));
  TRY(issuing.certificate, IssueIssuingCa(root, request, domain));
  return Authority{domain, std::move(root), std::move(issuing)};
}

Result<void> CheckAuthority(const Authority& authority) {
  const auto root = openssl::ReadCertificates(authority.root.certificate);
  if (!root.has_value()) return Error(root.error()).Within("the root certificate");
  TRY(const Issuer issuing, LoadIssuer(authority.issuing));
  const bool is_ca = X509_check_ca(issuing.certificate.get()) == 1;
  EVP_PKEY* const root_key = X509_get0_pubkey(root->front().get());
  const bool is_signed =
      root_key != nullptr && X509_verify(issuing.certificate.get(), root_key) == 1;
  ERR_clear_error();
  if (is_ca && is_signed) return {};
  return Error{ErrorCode::kInvalidArgument,
               is_ca ? "the issuing CA is not signed by the root"
                     : "the issuing CA's certificate is not a CA certificate"};
}

}  // namespace outport::pki
