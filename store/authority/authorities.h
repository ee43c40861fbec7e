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

// The current issuing CA, and the authorities that the fleet accepts. The certificates are in PEM
// form.
struct TrustState {
  pki::Authority signer;  // without the root's key
  std::string chain;      // the CAs after the leaf in each certificate that the signer issues
  std::string roots;      // for clients; the signer's root comes first
  std::string bundle;     // for members of the fleet: the roots, then the issuing CAs

  v1::TrustRow ToRow() const;
};
// Returns the trust state for a fleet without a rotation in progress. Wipes the root's key.
TrustState TrustStateOf(pki::Authority authority);

// Holds the current trust state. A rotation replaces the state. Safe for all threads; does not
// block.
class Authorities {
 public:
  explicit Authorities(TrustState first) { Set(std::move(first)); }

  std::shared_ptr<const TrustState> Current() const;
  void Set(TrustState state);

 private:
  mutable Mutex mutex_;
  // Calls that issue certificates keep a pointer to the state while they run.
  std::shared_ptr<const TrustState> state_ OUTPORT_GUARDED_BY(mutex_);
};

// Returns the key id of an issuing CA (PEM), in lowercase hex. Each certificate names the key id of
// its issuer.
Result<std::string> IssuerKeyId(const std::string& issuing_certificate);

// The phases of a rotation, as RotationRow names them (authority.proto).
inline constexpr const char* kTrustPhase = "trust";
inline constexpr const char* kCertificatesPhase = "certificates";
inline constexpr const char* kRetirePhase = "retire";  // an administrator cannot undo this phase

// Returns the trust state in a phase of a rotation. An empty phase means that no rotation is in
// progress; `next` is then ignored.
TrustState TrustStateIn(const std::string& phase, const pki::Authority& current,
                        const std::optional<NextAuthority>& next);

}  // namespace outport::store
