#include "registry/security/pki.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdlib>

#include "registry/security/openssl.h"

namespace outport::pki {
namespace {

using openssl::CertificatePtr;
using openssl::KeyPtr;
using openssl::LibraryError;
using std::chrono::system_clock;

constexpr std::chrono::days kRootLifetime{20 * 365};
constexpr std::chrono::days kIssuingLifetime{5 * 365};
constexpr std::chrono::minutes kClockSkew{5};  // a certificate is valid at a clock that is behind
constexpr int kSerialBits = 128;
constexpr size_t kMaxRequestBytes = 64 << 10;
constexpr size_t kMaxHostNames = 64;
constexpr size_t kMaxHostBytes = 253;

// A certificate that is being put together. The first failure is kept and told by Sign().
class Draft {
 public:
  Draft() : certificate_(X509_new()) {
    Check(certificate_ != nullptr && X509_set_version(certificate_.get(), X509_VERSION_3) == 1);
    const openssl::NumberPtr serial(BN_new());
    Check(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
          BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate_.get())) != nullptr);
  }

  X509* get() { return certificate_.get(); }

  void SetValidity(system_clock::time_point from, system_clock::time_point until) {
    const time_t begin = system_clock::to_time_t(from);
    const time_t end = system_clock::to_time_t(until);
    Check(ASN1_TIME_set(X509_getm_notBefore(get()), begin) != nullptr &&
          ASN1_TIME_set(X509_getm_notAfter(get()), end) != nullptr);
  }
  void SetSubject(const std::string& common_name) {
    Check(X509_NAME_add_entry_by_txt(X509_get_subject_name(get()), "CN", MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(common_name.data()),
                                     static_cast<int>(common_name.size()), -1, 0) == 1);
  }
  void SetKey(EVP_PKEY* key) { Check(X509_set_pubkey(get(), key) == 1); }
  // Before the extensions: the authority key identifier is taken from it.
  void SetIssuer(X509* issuer) {
    issuer_ = issuer;
    Check(X509_set_issuer_name(get(), X509_get_subject_name(issuer)) == 1);
  }
  // `value` in the syntax of openssl's configuration: constants of this file only.
  void AddExtension(int kind, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer_, get(), nullptr, nullptr, 0);
    const openssl::ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
    Check(extension != nullptr && X509_add_ext(get(), extension.get(), -1) == 1);
  }
  void AddNames(GENERAL_NAMES* names) {
    Check(X509_add1_ext_i2d(get(), NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1);
  }
  Result<CertificatePtr> Sign(EVP_PKEY* key) {
    Check(X509_sign(get(), key, EVP_sha256()) > 0);
    if (failed_) return LibraryError("making a certificate");
    return std::move(certificate_);
  }

 private:
  void Check(bool good) { failed_ = failed_ || !good; }

  CertificatePtr certificate_;
  X509* issuer_ = nullptr;
  bool failed_ = false;
};

// Signed by itself if `issuer` is null.
Result<CertificatePtr> MakeCa(const std::string& name, EVP_PKEY* key, X509* issuer,
                              EVP_PKEY* issuer_key, std::chrono::seconds lifetime) {
  Draft draft;
  const auto now = system_clock::now();
  draft.SetValidity(now - kClockSkew, now + lifetime);
  draft.SetSubject(name);
  draft.SetKey(key);
  draft.SetIssuer(issuer == nullptr ? draft.get() : issuer);
  const bool is_root = issuer == nullptr;
  draft.AddExtension(NID_basic_constraints,
                     is_root ? "critical,CA:TRUE,pathlen:1" : "critical,CA:TRUE,pathlen:0");
  draft.AddExtension(NID_key_usage, "critical,keyCertSign,cRLSign");
  draft.AddExtension(NID_subject_key_identifier, "hash");
  draft.AddExtension(NID_authority_key_identifier, "keyid:always");
  return draft.Sign(issuer_key);
}

using NamesPtr = std::unique_ptr<GENERAL_NAMES, openssl::Deleter<GENERAL_NAMES_free>>;

bool AddText(GENERAL_NAMES* names, int kind, const std::string& text) {
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (value == nullptr || name == nullptr) std::abort();
  const bool good = ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1;
  GENERAL_NAME_set0_value(name, kind, value);
  return sk_GENERAL_NAME_push(names, name) > 0 && good;
}

// False if `text` is no address; then nothing is added.
bool AddAddress(GENERAL_NAMES* names, const std::string& text) {
  ASN1_OCTET_STRING* value = a2i_IPADDRESS(text.c_str());
  if (value == nullptr) {
    ERR_clear_error();
    return false;
  }
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (name == nullptr) std::abort();
  GENERAL_NAME_set0_value(name, GEN_IPADD, value);
  return sk_GENERAL_NAME_push(names, name) > 0;
}

bool IsDnsName(std::string_view text) {
  if (text.empty() || text.size() > kMaxHostBytes) return false;
  std::string_view rest = text.starts_with("*.") ? text.substr(2) : text;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  while (true) {
    const size_t dot = rest.find('.');
    const std::string_view label = rest.substr(0, dot);
    if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-' ||
        !std::ranges::all_of(label, allowed)) {
      return false;
    }
    if (dot == std::string_view::npos) return true;
    rest.remove_prefix(dot + 1);
  }
}

Result<NamesPtr> MakeNames(const std::string& id, const std::vector<std::string>& hosts) {
  if (hosts.size() > kMaxHostNames) {
    return Error{ErrorCode::kInvalidArgument, "a certificate takes at most 64 host names"};
  }
  NamesPtr names(sk_GENERAL_NAME_new_null());
  if (names == nullptr || !AddText(names.get(), GEN_URI, id)) std::abort();
  for (const std::string& host : hosts) {
    if (AddAddress(names.get(), host)) continue;
    if (!IsDnsName(host) || !AddText(names.get(), GEN_DNS, host)) {
      return Error{ErrorCode::kInvalidArgument,
                   "'" + host.substr(0, 300) + "' is neither a host name nor an IP address"};
    }
  }
  return names;
}

// The public key of a request that proves possession of the private one.
Result<KeyPtr> KeyOfRequest(std::string_view pem) {
  if (pem.size() > kMaxRequestBytes) {
    return Error{ErrorCode::kInvalidArgument, "the certificate request is larger than 64 KiB"};
  }
  const openssl::BioPtr bio = openssl::Reader(pem);
  const openssl::RequestPtr request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
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
                 "the certificate request is not signed by its own key"};
  }
  return key;
}

struct Issuer {
  CertificatePtr certificate;
  KeyPtr key;
};

Result<Issuer> LoadIssuer(const KeyPair& pair) {
  auto certificates = openssl::ReadCertificates(pair.certificate);
  if (!certificates.has_value()) return std::move(certificates).error().Within("the issuing CA");
  auto key = openssl::ReadPrivateKey(pair.private_key);
  if (!key.has_value()) return std::move(key).error().Within("the issuing CA");
  Issuer issuer{std::move(certificates->front()), *std::move(key)};
  if (X509_check_private_key(issuer.certificate.get(), issuer.key.get()) != 1) {
    ERR_clear_error();
    return Error{ErrorCode::kInvalidArgument,
                 "the issuing CA: the private key does not belong to the certificate"};
  }
  return issuer;
}

const char* ExtendedUsage(const LeafOptions& options) {
  if (options.server && options.client) return "serverAuth,clientAuth";
  return options.server ? "serverAuth" : "clientAuth";
}

// A leaf never outlives its issuer: a chain that ends earlier than it says would be a surprise.
Result<system_clock::time_point> EndOfLeaf(X509* issuer, std::chrono::seconds lifetime) {
  TRY(const system_clock::time_point issuer_end, openssl::NotAfterOf(issuer));
  const auto now = system_clock::now();
  if (issuer_end <= now) {
    return Error{ErrorCode::kFailedPrecondition, "the issuing CA's certificate has expired"};
  }
  return lifetime > issuer_end - now
             ? issuer_end
             : now + std::chrono::duration_cast<system_clock::duration>(lifetime);
}

}  // namespace

Result<Authority> CreateAuthority(const std::string& domain) {
  if (!ParseSpiffeId(ToSpiffeId(domain, Role::kStore, "store")).has_value()) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + domain + "' is no domain: a-z, 0-9, '.', '_' and '-'"};
  }
  TRY(const KeyPtr root_key, openssl::ReadPrivateKey(CreatePrivateKey()));
  TRY(const KeyPtr issuing_key, openssl::ReadPrivateKey(CreatePrivateKey()));
  const std::string short_domain = domain.substr(0, 48);  // a common name holds 64 bytes
  TRY(const CertificatePtr root,
      MakeCa(short_domain + " root CA", root_key.get(), nullptr, root_key.get(), kRootLifetime));
  TRY(const CertificatePtr issuing, MakeCa(short_domain + " issuing CA", issuing_key.get(),
                                           root.get(), root_key.get(), kIssuingLifetime));
  return Authority{domain,
                   {openssl::ToPem(root.get()), openssl::ToPem(root_key.get())},
                   {openssl::ToPem(issuing.get()), openssl::ToPem(issuing_key.get())}};
}

Result<IssuedCertificate> Issue(const Authority& authority, std::string_view request,
                                const LeafOptions& options) {
  TRY(const std::string name, ParseSubjectName(options.name));
  if (options.lifetime <= std::chrono::seconds(0) || (!options.server && !options.client)) {
    return Error{ErrorCode::kInvalidArgument, "a certificate needs a lifetime and a usage"};
  }
  TRY(const KeyPtr key, KeyOfRequest(request));
  TRY(const Issuer issuer, LoadIssuer(authority.issuing));
  TRY(const NamesPtr names,
      MakeNames(ToSpiffeId(authority.domain, options.role, name), options.host_names));
  TRY(const system_clock::time_point end, EndOfLeaf(issuer.certificate.get(), options.lifetime));

  Draft draft;
  // Of a short life no large part may lie before its beginning: it is renewed at a third of it.
  const auto skew = std::min<std::chrono::seconds>(kClockSkew, options.lifetime / 10);
  draft.SetValidity(system_clock::now() - skew, end);
  draft.SetSubject(name);
  draft.SetKey(key.get());
  draft.SetIssuer(issuer.certificate.get());
  draft.AddExtension(NID_basic_constraints, "critical,CA:FALSE");
  draft.AddExtension(NID_key_usage, "critical,digitalSignature");
  draft.AddExtension(NID_ext_key_usage, ExtendedUsage(options));
  draft.AddExtension(NID_subject_key_identifier, "hash");
  draft.AddExtension(NID_authority_key_identifier, "keyid:always");
  draft.AddNames(names.get());
  TRY(const CertificatePtr leaf, draft.Sign(issuer.key.get()));

  TRY(const CertificateIdentity identity, openssl::IdentityOf(leaf.get()));
  TRY(const system_clock::time_point not_after, openssl::NotAfterOf(leaf.get()));
  return IssuedCertificate{openssl::ToPem(leaf.get()), identity.serial, identity.issuer_key_id,
                           not_after};
}

Result<void> CheckHostNames(const std::vector<std::string>& host_names) {
  TRY(const NamesPtr names, MakeNames(ToSpiffeId("any", Role::kStore, "any"), host_names));
  return {};
}

Result<std::string> KeyFingerprint(std::string_view request) {
  TRY(const KeyPtr key, KeyOfRequest(request));
  return openssl::FingerprintOf(key.get());
}

Result<void> CheckKeyPair(std::string_view certificate, std::string_view private_key) {
  TRY(const auto certificates, openssl::ReadCertificates(certificate));
  TRY(const KeyPtr key, openssl::ReadPrivateKey(private_key));
  if (X509_check_private_key(certificates.front().get(), key.get()) == 1) return {};
  ERR_clear_error();
  return Error{ErrorCode::kInvalidArgument, "the private key does not belong to the certificate"};
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
                     : "the issuing CA's certificate is not that of a CA"};
}

Result<void> CheckHost(std::string_view certificate, const std::string& host) {
  TRY(const auto certificates, openssl::ReadCertificates(certificate));
  X509* const leaf = certificates.front().get();
  const bool is_for = X509_check_ip_asc(leaf, host.c_str(), 0) == 1 ||
                      X509_check_host(leaf, host.data(), host.size(), 0, nullptr) == 1;
  ERR_clear_error();
  if (is_for) return {};
  return Error{ErrorCode::kInvalidArgument, "the certificate is not for '" + host + "'"};
}

Result<std::string> Fingerprint(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  return openssl::FingerprintOf(certificates.front().get());
}

Result<CertificateIdentity> Inspect(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  return openssl::IdentityOf(certificates.front().get());
}

Result<system_clock::time_point> NotAfter(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  return openssl::NotAfterOf(certificates.front().get());
}

}  // namespace outport::pki
