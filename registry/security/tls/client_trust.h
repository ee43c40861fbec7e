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

// What a registry asks of its clients' certificates.
enum class ClientAuth {
  kRequire,   // one must come; what is wrong with it is told in the answer
  kStrict,    // the same, but refused in the handshake, where clients show less of the reason
  kOptional,  // none need come; one that comes must be good
  kOff,       // none is asked for
};
Result<ClientAuth> ParseClientAuth(std::string_view text);  // "require"
std::string_view ToString(ClientAuth auth);

struct ClientTrustOptions {
  ClientAuth auth = ClientAuth::kRequire;
  std::string fleet = {};    // PEM: the fleet's own authorities, roots and intermediates
  std::string foreign = {};  // PEM: further authorities; may be empty
  std::string lists = {};    // PEM: revocation lists of `foreign`; may be empty
  bool operator==(const ClientTrustOptions&) const = default;
};

// Which certificates of clients count, and whom each names. A certificate of the fleet's authority
// names its holder in its SPIFFE id. One of another authority that is trusted beside it cannot name
// a holder of the fleet, whatever stands in it: it is "foreign:" and its common name. Safe for
// several threads; does not block.
class ClientTrust {
 public:
  // kInvalidArgument says what is wrong with the authorities or the lists: each list must be issued
  // by one of `foreign`.
  static Result<ClientTrust> Create(const ClientTrustOptions& options);
  ~ClientTrust();
  ClientTrust(ClientTrust&& other) noexcept;
  ClientTrust& operator=(ClientTrust&&) = delete;

  ClientAuth auth() const { return auth_; }
  // The end of the list that is the first to be out of date: certificates of its authority are
  // refused from then on.
  std::optional<std::chrono::system_clock::time_point> lists_end() const { return lists_end_; }

  // Who `leaf` says its holder is. kCertificateInvalid with the reason: expired, unknown authority,
  // revoked by its authority, weak key, wrong role or usage, no name. `sent` is what came with it,
  // or null. Both stay the caller's.
  Result<CertificateIdentity> Judge(x509_st* leaf, stack_st_X509* sent,
                                    std::chrono::system_clock::time_point now) const;
  // The same as a code of OpenSSL, for a handshake: X509_V_OK, and the holder if that is asked for;
  // what is wrong with the chain; or X509_V_ERR_APPLICATION_VERIFICATION where the chain is good
  // and the certificate is not.
  int Verify(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
             CertificateIdentity* holder = nullptr) const;
  static std::string Explain(int code);

 private:
  struct Authorities;
  ClientTrust(ClientAuth auth, std::unique_ptr<const Authorities> authorities);
  int VerifyChain(x509_st* leaf, stack_st_X509* sent, std::chrono::system_clock::time_point now,
                  bool& of_fleet) const;

  const ClientAuth auth_;
  std::unique_ptr<const Authorities> authorities_;
  std::optional<std::chrono::system_clock::time_point> lists_end_;
};

}  // namespace outport
