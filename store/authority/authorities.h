#pragma once

#include <memory>
#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/security/pki/pki.h"
#include "store/authority/next_authority.h"

namespace outport::store {

// Who issues certificates now, and whom the fleet trusts; PEM.
struct AuthorityStanding {
  pki::Authority signer;  // the root's key is not in it
  std::string chain;      // what stands behind each certificate that it issues
  std::string roots;      // what clients are to trust, the signer's first
  std::string trusted;    // the roots, then the issuing CAs: whom the fleet itself trusts

  v1::TrustRow ToRow() const;
};
// Where nothing is being replaced.
AuthorityStanding StandingOf(pki::Authority authority);

// What certificates are issued by, as it is replaced. Safe for all threads; does not block.
class Authorities {
 public:
  explicit Authorities(AuthorityStanding first) { Set(std::move(first)); }

  std::shared_ptr<const AuthorityStanding> Now() const;
  void Set(AuthorityStanding standing);

 private:
  mutable Mutex mutex_;
  // Shared with those who issue meanwhile.
  std::shared_ptr<const AuthorityStanding> standing_ OUTPORT_GUARDED_BY(mutex_);
};

// The lowercase hex key id that certificates of this issuing CA (PEM) name as their issuer's.
Result<std::string> IssuerKeyId(const std::string& issuing_certificate);

// The phases of a rotation, as RotationRow names them (authority.proto).
inline constexpr const char* kTrustPhase = "trust";
inline constexpr const char* kCertificatesPhase = "certificates";
inline constexpr const char* kRetirePhase = "retire";  // begun, and not undone any more

// What counts in a phase ("": none is under way, and `next` does not count).
AuthorityStanding StandingIn(const std::string& phase, const pki::Authority& current,
                             const std::optional<NextAuthority>& next);

}  // namespace outport::store
