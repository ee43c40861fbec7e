#include "registry/security/tls/client_trust.h"

#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "registry/security/pki/openssl.h"

namespace outport {
namespace {

using openssl::LibraryError;
using std::chrono::system_clock;

constexpr int kMaxChainDepth = 3;
constexpr int kSecurityLevel = 2;  // of OpenSSL: keys of at least 112 bits of security, no SHA-1
constexpr size_t kMaxCommonNameBytes = 64;  // ub-common-name, RFC 5280 appendix A

using StorePtr = std::unique_ptr<X509_STORE, openssl::Deleter<X509_STORE_free>>;
using ChainPtr = std::unique_ptr<X509_STORE_CTX, openssl::Deleter<X509_STORE_CTX_free>>;

constexpr std::array<std::pair<std::string_view, ClientAuth>, 4> kModes = {
    {{"require", ClientAuth::kRequire},
     {"strict", ClientAuth::kStrict},
     {"optional", ClientAuth::kOptional},
     {"off", ClientAuth::kOff}}};

Error Rejection(std::string_view why) {
  return Error{ErrorCode::kCertificateInvalid,
               "The SSL certificate is not accepted: " + std::string(why)};
}

Result<std::vector<openssl::CertificatePtr>> AddAuthorities(X509_STORE* store,
                                                            const std::string& pem) {
  TRY(auto certificates, openssl::ReadCertificates(pem));
  for (const auto& certificate : certificates) {
    if (X509_check_ca(certificate.get()) == 0) {
      return Error{ErrorCode::kInvalidArgument, "one of the certificates is not a CA certificate"};
    }
    if (X509_STORE_add_cert(store, certificate.get()) != 1) {
      return LibraryError("adding a certificate to the trusted authorities",
                          ErrorCode::kInvalidArgument);
    }
  }
  return certificates;
}

// Checks that one of the authorities issued `list`. OpenSSL would ignore any other list, and would
// then accept revoked certificates.
Result<void> CheckIssued(X509_CRL* list, const std::vector<openssl::CertificatePtr>& authorities) {
  if (openssl::IssuerOf(list, authorities) != nullptr) return {};
  return Error{
      ErrorCode::kInvalidArgument,
      "no certificate in registry.client_ca issued one of the lists in registry.client_crl; "
      "add the issuer's certificate to registry.client_ca"};
}

// Rejects a delta list, which has only the changes since a full list. OpenSSL would use it as a
// newer full list, and would then accept the certificates that only the full list revokes.
Result<void> CheckFull(const X509_CRL* list) {
  if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) < 0) return {};
  return Error{ErrorCode::kInvalidArgument, "one of the lists is a delta list; name the full list"};
}

std::string Foreign(X509* leaf) {
  std::array<char, kMaxCommonNameBytes + 2> text{};
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName,
                                             text.data(), static_cast<int>(text.size()));
  const std::string_view name(text.data(), static_cast<size_t>(std::max(size, 0)));
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (name.empty() || name.size() > kMaxCommonNameBytes || !std::ranges::all_of(name, plain)) {
    return {};
  }
  return std::string(kForeignPrefix).append(name);
}

// Rejects a certificate without extended key usage, for which OpenSSL accepts any usage.
// Certificates of the fleet always have this extension. Two fleets may share an authority, so the
// domain counts too.
Result<CertificateIdentity> HolderInFleet(X509* leaf, const std::string& domain) {
  if ((X509_get_extension_flags(leaf) & EXFLAG_XKUSAGE) == 0) {
    return Rejection(ClientTrust::Explain(X509_V_ERR_INVALID_PURPOSE));
  }
  auto identity = openssl::IdentityOf(leaf);
  if (!identity.has_value()) return Rejection(identity.error().message);
  if (!domain.empty() && identity->domain != domain) {
    return Rejection("it is of the fleet '" + identity->domain + "'; this is the fleet '" + domain +
                     "'");
  }
  if (identity->role != Role::kClient) {
    return Rejection("it has the role '" + std::string(ToString(identity->role)) +
                     "'; the registry needs 'client' (outportctl cert issue " + identity->name +
                     ")");
  }
  return identity;
}

Result<CertificateIdentity> HolderElsewhere(X509* leaf) {
  CertificateIdentity identity;
  identity.name = Foreign(leaf);
  if (identity.name.empty()) {
    return Rejection("its common name must be 1 to 64 visible ASCII characters without spaces");
  }
  TRY_VOID(openssl::DescribeIssue(leaf, identity));
  return identity;
}

Result<CertificateIdentity> HolderOf(X509* leaf, bool of_fleet, const std::string& domain) {
  if (const Result<void> strong = openssl::CheckKeyStrength(X509_get0_pubkey(leaf));
      !strong.has_value()) {
    return Rejection(strong.error().message);
  }
  return of_fleet ? HolderInFleet(leaf, domain) : HolderElsewhere(leaf);
}

}  // namespace

struct ClientTrust::Authorities {
  StorePtr store{X509_STORE_new()};
  std::vector<openssl::CertificatePtr> fleet;
  std::vector<openssl::ListPtr> lists;

  Result<void> Apply(std::vector<openssl::ListPtr> more) {
    for (auto& list : more) {
      if (X509_STORE_add_crl(store.get(), list.get()) != 1) {
        return LibraryError("adding a revocation list");
      }
      lists.push_back(std::move(list));
    }
    X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    return {};
  }
  bool IsOfFleet(const X509* certificate) const {
    return std::ranges::any_of(
        fleet, [certificate](const auto& own) { return X509_cmp(own.get(), certificate) == 0; });
  }
  // Returns whether a list is there for the certificate at `depth` of the chain. A list counts by
  // the name and the key of its issuer: a new authority may have the name of an earlier one. If the
  // chain ends below the issuer, so that its key is unknown, only a list that revokes the
  // certificate counts.
  bool HasListFor(const STACK_OF(X509) * chain, int depth) const {
    X509* const certificate = sk_X509_value(chain, depth);
    const bool is_self_issued =
        X509_NAME_cmp(X509_get_subject_name(certificate), X509_get_issuer_name(certificate)) == 0;
    X509* const issuer = depth + 1 < sk_X509_num(chain) ? sk_X509_value(chain, depth + 1)
                         : is_self_issued               ? certificate
                                                        : nullptr;
    return std::ranges::any_of(lists, [&](const auto& list) {
      if (X509_NAME_cmp(X509_CRL_get_issuer(list.get()), X509_get_issuer_name(certificate)) != 0) {
        return false;
      }
      X509_REVOKED* entry = nullptr;
      return issuer == nullptr ? X509_CRL_get0_by_cert(list.get(), &entry, certificate) != 0
                               : X509_CRL_verify(list.get(), X509_get0_pubkey(issuer)) == 1;
    });
  }
  // Verifies the chain of `leaf` and returns OpenSSL's code. Sets `of_fleet` to whether the chain
  // contains an authority of the fleet.
  int Verify(X509* leaf, STACK_OF(X509) * sent, system_clock::time_point now, unsigned long flags,
             bool& of_fleet) const {
    const ChainPtr chain(X509_STORE_CTX_new());
    if (chain == nullptr || X509_STORE_CTX_init(chain.get(), store.get(), leaf, sent) != 1 ||
        X509_STORE_CTX_set_default(chain.get(), "ssl_client") != 1) {
      ERR_clear_error();
      return X509_V_ERR_OUT_OF_MEM;
    }
    X509_STORE_CTX_set_time(chain.get(), 0, system_clock::to_time_t(now));
    X509_STORE_CTX_set_flags(chain.get(), flags);
    // IgnoreMissingList() casts the pointer back to const.
    X509_STORE_CTX_set_app_data(chain.get(), const_cast<Authorities*>(this));
    X509_STORE_CTX_set_verify_cb(chain.get(), IgnoreMissingList);
    const bool good = X509_verify_cert(chain.get()) == 1;
    ERR_clear_error();
    if (!good) return X509_STORE_CTX_get_error(chain.get());
    const STACK_OF(X509)* verified = X509_STORE_CTX_get0_chain(chain.get());
    for (int i = 0; i < sk_X509_num(verified); ++i) {
      of_fleet = of_fleet || IsOfFleet(sk_X509_value(verified, i));
    }
    return X509_V_OK;
  }
  // Makes OpenSSL accept the certificates of an authority that has no revocation list. Otherwise
  // OpenSSL would require a list of every authority. But the fleet has no lists, and other
  // authorities need none.
  static int IgnoreMissingList(int good, X509_STORE_CTX* chain) {
    if (good == 1) return 1;
    const auto* self = static_cast<const Authorities*>(X509_STORE_CTX_get_app_data(chain));
    const STACK_OF(X509)* certificates = X509_STORE_CTX_get0_chain(chain);
    const int depth = X509_STORE_CTX_get_error_depth(chain);
    const bool no_list = X509_STORE_CTX_get_error(chain) == X509_V_ERR_UNABLE_TO_GET_CRL;
    return no_list && depth < sk_X509_num(certificates) && !self->HasListFor(certificates, depth)
               ? 1
               : 0;
  }
};

Result<ClientAuth> ParseClientAuth(std::string_view text) {
  for (const auto& [name, mode] : kModes) {
    if (name == text) return mode;
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text) + "' must be require, strict, optional or off"};
}

std::string_view ToString(ClientAuth auth) {
  for (const auto& [name, mode] : kModes) {
    if (mode == auth) return name;
  }
  std::unreachable();
}

ClientTrust::ClientTrust(const ClientTrustOptions& options,
                         std::unique_ptr<const Authorities> authorities)
    : auth_(options.auth), domain_(options.domain), authorities_(std::move(authorities)) {}
ClientTrust::ClientTrust(ClientTrust&& other) noexcept = default;
ClientTrust::~ClientTrust() = default;

Result<ClientTrust> ClientTrust::Create(const ClientTrustOptions& options) {
  auto authorities = std::make_unique<Authorities>();
  X509_STORE* store = authorities->store.get();
  auto fleet = AddAuthorities(store, options.fleet);
  if (!fleet.has_value()) return std::move(fleet).error().Within(options.fleet_name);
  authorities->fleet = *std::move(fleet);
  std::vector<openssl::CertificatePtr> foreign;
  if (!options.foreign.empty()) {
    auto added = AddAuthorities(store, options.foreign);
    if (!added.has_value()) return std::move(added).error().Within(options.foreign_name);
    foreign = *std::move(added);
  }
  std::optional<system_clock::time_point> end;
  if (!options.lists.empty()) {
    auto lists = openssl::ReadRevocationLists(options.lists);
    if (!lists.has_value()) return std::move(lists).error().Within(options.lists_name);
    for (const auto& list : *lists) {
      if (auto issued = CheckIssued(list.get(), foreign); !issued.has_value()) {
        return std::move(issued).error().Within(options.lists_name);
      }
      if (auto full = CheckFull(list.get()); !full.has_value()) {
        return std::move(full).error().Within(options.lists_name);
      }
      const auto due = openssl::NextUpdateOf(list.get());
      if (due.has_value()) end = end.has_value() ? std::min(*end, *due) : *due;
    }
    TRY_VOID(authorities->Apply(*std::move(lists)));
  }
  if (!options.departed_lists.empty()) {
    TRY(auto lists, openssl::ReadRevocationLists(options.departed_lists));
    TRY_VOID(authorities->Apply(std::move(lists)));
  }
  X509_STORE_set_depth(store, kMaxChainDepth);
  X509_VERIFY_PARAM_set_auth_level(X509_STORE_get0_param(store), kSecurityLevel);
  ERR_clear_error();
  ClientTrust trust(options, std::move(authorities));
  trust.next_crl_expiry_ = end;
  return trust;
}

// Verifies the chain up to its root first. Only if no configured file holds the root, accepts a
// chain that ends at a trusted intermediate. With the root, its revocation list may revoke the
// intermediate, so the full chain must be valid.
int ClientTrust::VerifyChain(X509* leaf, STACK_OF(X509) * sent, system_clock::time_point now,
                             bool& of_fleet) const {
  int code = authorities_->Verify(leaf, sent, now, 0, of_fleet);
  if (code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
      code == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY) {
    code = authorities_->Verify(leaf, sent, now, X509_V_FLAG_PARTIAL_CHAIN, of_fleet);
  }
  return code;
}

Result<CertificateIdentity> ClientTrust::Identify(X509* leaf, STACK_OF(X509) * sent,
                                                  system_clock::time_point now) const {
  bool of_fleet = false;
  const int code = VerifyChain(leaf, sent, now, of_fleet);
  if (code != X509_V_OK) return Rejection(Explain(code));
  return HolderOf(leaf, of_fleet, domain_);
}

int ClientTrust::Verify(X509* leaf, STACK_OF(X509) * sent, system_clock::time_point now,
                        CertificateIdentity* holder) const {
  bool of_fleet = false;
  const int code = VerifyChain(leaf, sent, now, of_fleet);
  if (code != X509_V_OK) return code;
  Result<CertificateIdentity> identity = HolderOf(leaf, of_fleet, domain_);
  if (!identity.has_value()) return X509_V_ERR_APPLICATION_VERIFICATION;
  if (holder != nullptr) *holder = *std::move(identity);
  return X509_V_OK;
}

std::string ClientTrust::Explain(int code) {
  switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
      return "it has expired; ask an administrator for a new one (outportctl cert issue)";
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return "it is not yet valid; check the clocks of both machines";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
      return "it was issued by an unknown authority, not by this fleet";
    case X509_V_ERR_INVALID_PURPOSE:
      return "its extended key usage does not allow clients; it needs clientAuth";
    case X509_V_ERR_CERT_REVOKED:
      return "it was revoked by its authority; use another certificate";
    case X509_V_ERR_CRL_HAS_EXPIRED:
      return "the revocation list of its authority is out of date; an administrator must renew "
             "registry.client_crl";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
      return "its key or signature, or that of its authority, is too weak; RSA needs 2048 bits and "
             "SHA-256";
    case X509_V_ERR_APPLICATION_VERIFICATION:
      return "its fleet, role, name or key is not valid for a client here";
    default:
      return X509_verify_cert_error_string(code);
  }
}

}  // namespace outport
