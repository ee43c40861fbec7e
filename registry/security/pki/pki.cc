#include "registry/security/pki/pki.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "registry/base/bytes.h"
#include "registry/oci/digest.h"
#include "registry/security/pki/certificate_draft.h"
#include "registry/security/pki/openssl.h"

namespace outport::pki {
namespace {

using openssl::CertificatePtr;
using openssl::KeyPtr;
using openssl::LibraryError;
using std::chrono::system_clock;

constexpr size_t kMaxHostNames = 64;
constexpr size_t kMaxHostBytes = 253;

using NamesPtr = std::unique_ptr<GENERAL_NAMES, openssl::Deleter<GENERAL_NAMES_free>>;

bool AddText(GENERAL_NAMES* names, int kind, const std::string& text) {
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  GENERAL_NAME* name = GENERAL_NAME_new();
  if (value == nullptr || name == nullptr) std::abort();
  const bool good = ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1;
  GENERAL_NAME_set0_value(name, kind, value);
  return sk_GENERAL_NAME_push(names, name) > 0 && good;
}

// Adds the IP address `text`. If `text` is not an IP address, returns false and adds nothing.
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

// Formats the 4 or 16 bytes of an IP address from a certificate.
std::string AddressText(const std::string& bytes) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = bytes.size() == 4 ? AF_INET : AF_INET6;
  if (bytes.size() != 4 && bytes.size() != 16) return {};
  ::inet_ntop(family, bytes.data(), text.data(), text.size());
  return text.data();
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
    return Error{ErrorCode::kInvalidArgument, "a certificate can have at most 64 host names"};
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

const char* ExtendedUsage(const LeafOptions& options) {
  if (options.server && options.client) return "serverAuth,clientAuth";
  return options.server ? "serverAuth" : "clientAuth";
}

// Limits the end of a leaf certificate to the end of its issuer, because the chain is invalid after
// that.
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

Result<IssuedCertificate> Issue(const Authority& authority, std::string_view request,
                                const LeafOptions& options) {
  TRY(const std::string name, ParseSubjectName(options.name));
  if (options.lifetime <= std::chrono::seconds(0) || (!options.server && !options.client)) {
    return Error{ErrorCode::kInvalidArgument,
                 "a certificate needs a lifetime, and a usage as server or client"};
  }
  TRY(const KeyPtr key, KeyOfRequest(request));
  TRY(const Issuer issuer, LoadIssuer(authority.issuing));
  TRY(const NamesPtr names,
      MakeNames(ToSpiffeId(authority.domain, options.role, name), options.host_names));
  TRY(const system_clock::time_point end, EndOfLeaf(issuer.certificate.get(), options.lifetime));

  Draft draft;
  // Reduce the skew of a short lifetime. A node renews after a third of the validity, which
  // includes the skew. With the full skew, it would renew a new certificate almost at once.
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

Result<void> CheckHost(std::string_view certificate, const std::string& host) {
  TRY(const auto certificates, openssl::ReadCertificates(certificate));
  X509* const leaf = certificates.front().get();
  const bool is_for = X509_check_ip_asc(leaf, host.c_str(), 0) == 1 ||
                      X509_check_host(leaf, host.data(), host.size(), 0, nullptr) == 1;
  ERR_clear_error();
  if (is_for) return {};
  return Error{ErrorCode::kInvalidArgument, "the certificate is not for '" + host + "'"};
}

Result<std::vector<std::string>> HostNames(std::string_view certificate) {
  TRY(const auto certificates, openssl::ReadCertificates(certificate));
  const NamesPtr names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificates.front().get(), NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> hosts;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    int kind = 0;
    const auto* value = static_cast<const ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind));
    if (kind != GEN_DNS && kind != GEN_IPADD) continue;
    const std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                            static_cast<size_t>(ASN1_STRING_length(value)));
    hosts.push_back(kind == GEN_DNS ? bytes : AddressText(bytes));
  }
  return hosts;
}

Result<std::vector<std::string>> SplitCertificates(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  std::vector<std::string> each;
  for (const auto& certificate : certificates) each.push_back(openssl::ToPem(certificate.get()));
  return each;
}

Result<std::string> IssuerChain(std::string_view pem) {
  TRY(const std::vector<std::string> certificates, SplitCertificates(pem));
  std::string chain;
  for (size_t i = 1; i < certificates.size(); ++i) chain += certificates[i];
  return chain;
}

std::string BundleHash(std::string_view pem) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(pem)).hex();
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

Result<Validity> ValidityOf(std::string_view pem) {
  TRY(const auto certificates, openssl::ReadCertificates(pem));
  Validity validity;
  TRY(validity.begin, openssl::NotBeforeOf(certificates.front().get()));
  TRY(validity.end, openssl::NotAfterOf(certificates.front().get()));
  return validity;
}

}  // namespace outport::pki
