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

// The client certificates that a registry requires.
enum class ClientAuth {
  kRequire,   // a valid one; the HTTP response explains a rejection
  kStrict,    // a valid one; the handshake rejects others, but clients then show less of the reason
  kOptional,  // none, or a valid one
  kOff,       // none; the server does not request one
};
Result<ClientAuth> ParseClientAuth(std::string_view text);  // "require"
std::string_view ToString(ClientAuth auth);

struct ClientTrustOptions {
  ClientAuth auth = ClientAuth::kRequire;
  std::string fleet = {};    // PEM: the fleet's trust bundle
  std::string foreign = {};  // PEM: further authorities; may be empty
  std::string lists = {};    // PEM: revocation lists of `foreign`; may be empty
  bool operator==(const ClientTrustOptions&) const = default;
};

// Verifies client certificates and identifies their holders. A certificate of the fleet names its
// holder in its SPIFFE id. The holder in a certificate of another trusted authority is "foreign:"
// and its common name, so that it can never be a holder of the fleet. Safe for several threads;
// does not block.
class ClientTrust {
 public:
  // kInvalidArgument explains a problem with the authorities or the revocation lists. Each list
  // must be issued by one of `foreign`.
  static Result<ClientTrust> Create(const ClientTrustOptions& options);
  ~ClientTrust();
  ClientTrust(ClientTrust&& other) noexcept;
  ClientTrust& operator=(ClientTrust&&) = delete;

  ClientAuth auth() const { return auth_; }
  // The earliest time at which a revocation list expires. Certificates of its authority are
  // rejected from then on.
  std::optional<std::chrono::system_clock::time_point> next_crl_expiry() const {
    return next_crl_expiry_;
  }

  // Verifies `leaf` and returns its holder. kCertificateInvalid with the reason: expired, unknown
  // authority, revoked by its authority, weak key, wrong role or usage, no name. `sent` has the
  // certificates that the client sent with it, or is null. The caller keeps ownership of both.
  Result<CertificateIdentity> Identify(x509_st* leaf, stack_st_X509* sent,
                                       std::chrono::system_clock::time_point now) const;
  // Identify() for a handshake. Returns X509_V_OK and sets `*holder` unless it is null; OpenSSL's
  // code for an invalid chain; or X509_V_ERR_APPLICATION_VERIFICATION for a valid chain whose
  // certificate is rejected by our rules.
  int Verify(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
             CertificateIdentity* holder = nullptr) const;
  // The reason of a code of Verify(), for users.
  static std::string Explain(int code);

 private:
  struct Authorities;
  ClientTrust(ClientAuth auth, std::unique_ptr<const Authorities> authorities);
  int VerifyChain(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
                  bool& of_fleet) const;

  const ClientAuth auth_;
  std::unique_ptr<const Authorities> authorities_;
  std::optional<std::chrono::system_clock::time_point> next_crl_expiry_;
};

}  // namespace outport
