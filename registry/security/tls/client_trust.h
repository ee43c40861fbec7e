#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "registry/base/result.h"
#include "registry/security/pki/identity.h"

struct stack_st_X509;
struct x509_st;
struct x509_store_st;

namespace outport {

// The requirement of a registry for client certificates.
enum class ClientAuth {
  kRequire,   // a valid certificate; the HTTP response explains a rejection
  kStrict,    // as kRequire, but the handshake rejects; clients then show less of the reason
  kOptional,  // none or a valid certificate
  kOff,       // none; the server does not request a certificate
};
Result<ClientAuth> ParseClientAuth(std::string_view text);  // "require"
std::string_view ToString(ClientAuth auth);

struct ClientTrustOptions {
  ClientAuth auth = ClientAuth::kRequire;
  std::string domain = {};   // the fleet's; empty: any
  std::string fleet = {};    // PEM: the fleet's trust bundle
  std::string foreign = {};  // PEM: further authorities; may be empty
  std::string lists = {};    // PEM: revocation lists of `foreign`; may be empty
  // PEM: lists of authorities that have left `foreign`; may be empty.
  std::string departed_lists = {};
  // The sources of the first three texts, for errors.
  std::string fleet_name = "the authorities of clients";
  std::string foreign_name = "registry.client_ca";
  std::string lists_name = "registry.client_crl";
  bool operator==(const ClientTrustOptions&) const = default;
};

// Verifies client certificates and identifies their holders. A certificate of the fleet names its
// holder in its SPIFFE id. If another trusted authority issued the certificate, the holder's name
// is "foreign:" and the common name. So such a certificate can never have the name of a holder in
// the fleet. Safe for several threads; does not block.
class ClientTrust {
 public:
  // kInvalidArgument explains a problem with the authorities or the revocation lists. An authority
  // in `foreign` must have issued each list, and each list must be a full list.
  static Result<ClientTrust> Create(const ClientTrustOptions& options);
  ~ClientTrust();
  ClientTrust(ClientTrust&& other) noexcept;
  ClientTrust& operator=(ClientTrust&&) = delete;

  ClientAuth auth() const { return auth_; }
  // The earliest time at which a revocation list expires. From then on, Identify() rejects the
  // certificates of the authority that issued the list.
  std::optional<std::chrono::system_clock::time_point> next_crl_expiry() const {
    return next_crl_expiry_;
  }

  // Verifies `leaf` and returns its holder. kCertificateInvalid with the reason: expired, unknown
  // authority, revoked by its authority, weak key, another fleet's domain, wrong role or usage, no
  // name. `sent` has the
  // certificates that the client sent with `leaf`, or is null. The caller keeps ownership of `leaf`
  // and `sent`.
  Result<CertificateIdentity> Identify(x509_st* leaf, stack_st_X509* sent,
                                       std::chrono::system_clock::time_point now) const;
  // Identify() for a handshake. Returns X509_V_OK on success, and sets `*holder` unless `holder` is
  // null. If the chain is invalid, returns OpenSSL's code. If the chain is valid but Outport's
  // rules reject the certificate, returns X509_V_ERR_APPLICATION_VERIFICATION.
  int Verify(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
             CertificateIdentity* holder = nullptr) const;
  // Explains a code of Verify() to users, as a clause like "it has expired".
  static std::string Explain(int code);

 private:
  struct Authorities;
  ClientTrust(const ClientTrustOptions& options, std::unique_ptr<const Authorities> authorities);
  int VerifyChain(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
                  bool& of_fleet) const;

  const ClientAuth auth_;
  const std::string domain_;
  std::unique_ptr<const Authorities> authorities_;
  std::optional<std::chrono::system_clock::time_point> next_crl_expiry_;
};

}  // namespace outport
