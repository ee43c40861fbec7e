#include "store/authority/authorities.h"

#include <utility>

namespace outport::store {
v1::TrustRow TrustState::ToRow() const {
  v1::TrustRow row;
  row.set_authorities(bundle);
  row.set_chain(chain);
  return row;
}

TrustState TrustStateOf(pki::Authority authority) {
  Wipe(authority.root.private_key);
  TrustState state{.signer = std::move(authority), .chain = {}, .roots = {}, .bundle = {}};
  state.chain = state.signer.issuing.certificate;
  state.roots = state.signer.root.certificate;
  state.bundle = state.roots + state.chain;
  return state;
}

std::shared_ptr<const TrustState> Authorities::Current() const {
  MutexLock lock(mutex_);
  return state_;
}

void Authorities::Set(TrustState state) {
  auto shared = std::make_shared<const TrustState>(std::move(state));
  MutexLock lock(mutex_);
  state_ = std::move(shared);
}

Result<std::string> IssuerKeyId(const std::string& issuing_certificate) {
  TRY(const pki::Description description, pki::Describe(issuing_certificate));
  return description.key_id;
}

TrustState TrustStateIn(const std::string& phase, const pki::Authority& current,
                        const std::optional<NextAuthority>& next) {
  if (phase.empty() || !next.has_value()) return TrustStateOf(current);
  const std::string& old_root = current.root.certificate;
  const std::string& new_root = next->authority.root.certificate;
  const std::string& new_issuing = next->authority.issuing.certificate;
  const bool same_root = old_root == new_root;
  TrustState state = TrustStateOf(current);
  if (phase == kTrustPhase) {
    if (!same_root) state.roots += new_root;
  } else {
    state = TrustStateOf(next->authority);
    if (phase == kRetirePhase) return state;
    // The cross certificate comes first. A client that knows only the old root follows the first
    // certificate with the issuer's name, and only the cross certificate leads to the old root.
    state.chain = next->cross + new_issuing;
    if (!same_root) state.roots += old_root;
  }
  state.bundle = state.roots + current.issuing.certificate + new_issuing;
  return state;
}

}  // namespace outport::store
