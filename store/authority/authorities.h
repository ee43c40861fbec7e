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

// The current issuing CA, and the authorities that the fleet accepts. Certificates are PEM.
struct TrustState {
  pki::Authority signer;  // without the root's key
  std::string chain;      // follows the leaf in each certificate chain that the signer issues
  std::string roots;      // for clients: the signer's root first
  std::string bundle;     // for members of the fleet: the roots, then the issuing CAs

  v1::TrustRow ToRow() const;
};
// The state while no rotation is in progress. Wipes the root's key.
TrustState TrustStateOf(pki::Authority authority);

// The current trust state. A rotation replaces it. Safe for all threads; does not block.
class Authorities {
 public:
  explicit Authorities(TrustState first) { Set(std::move(first)); }

  std::shared_ptr<const TrustState> Current() const;
  void Set(TrustState state);

 private:
  mutable Mutex mutex_;
  // Shared with calls that issue certificates.
  std::shared_ptr<const TrustState> state_ OUTPORT_GUARDED_BY(mutex_);
};

// The key id of an issuing CA (PEM), in lowercase hex. Certificates that it issued name it as
// their issuer.
Result<std::string> IssuerKeyId(const std::string& issuing_certificate);

// The phases of a rotation, as RotationRow names them (authority.proto).
inline constexpr const char* kTrustPhase = "trust";
inline constexpr const char* kCertificatesPhase = "certificates";
inline constexpr const char* kRetirePhase = "retire";  // cannot be undone

// The state in a phase of a rotation. An empty phase means that none is in progress; `next` is
// ignored then.
TrustState TrustStateIn(const std::string& phase, const pki::Authority& current,
                        const std::optional<NextAuthority>& next);

}  // namespace outport::store
