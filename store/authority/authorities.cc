#include "store/authority/authorities.h"

#include <utility>

namespace outport::store {
v1::TrustRow AuthorityStanding::ToRow() const {
  v1::TrustRow row;
  row.set_authorities(trusted);
  row.set_chain(chain);
  return row;
}

AuthorityStanding StandingOf(pki::Authority authority) {
  Wipe(authority.root.private_key);
  AuthorityStanding standing{
      .signer = std::move(authority), .chain = {}, .roots = {}, .trusted = {}};
  standing.chain = standing.signer.issuing.certificate;
  standing.roots = standing.signer.root.certificate;
  standing.trusted = standing.roots + standing.chain;
  return standing;
}

std::shared_ptr<const AuthorityStanding> Authorities::Now() const {
  MutexLock lock(mutex_);
  return standing_;
}

void Authorities::Set(AuthorityStanding standing) {
  auto shared = std::make_shared<const AuthorityStanding>(std::move(standing));
  MutexLock lock(mutex_);
  standing_ = std::move(shared);
}

Result<std::string> IssuerKeyId(const std::string& issuing_certificate) {
  TRY(const pki::Description description, pki::Describe(issuing_certificate));
  return description.key_id;
}

AuthorityStanding StandingIn(const std::string& phase, const pki::Authority& current,
                             const std::optional<NextAuthority>& next) {
  if (phase.empty() || !next.has_value()) return StandingOf(current);
  const std::string& old_root = current.root.certificate;
  const std::string& new_root = next->authority.root.certificate;
  const std::string& new_issuing = next->authority.issuing.certificate;
  const bool same_root = old_root == new_root;
  AuthorityStanding standing = StandingOf(current);
  if (phase == kTrustPhase) {
    if (!same_root) standing.roots += new_root;
  } else {
    standing = StandingOf(next->authority);
    if (phase == kRetirePhase) return standing;
    // Who knows the older root alone looks at the first that leads there.
    standing.chain = next->cross + new_issuing;
    if (!same_root) standing.roots += old_root;
  }
  standing.trusted = standing.roots + current.issuing.certificate + new_issuing;
  return standing;
}

}  // namespace outport::store
