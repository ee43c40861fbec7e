#include "store/fleet/rotation.h"

#include <algorithm>
#include <boost/json/object.hpp>
#include <set>
#include <utility>
#include <vector>

#include "registry/records/keys.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/authority/authority_files.h"
#include "store/authority/certificates.h"
#include "store/authority/next_authority.h"

namespace outport::store {
namespace {

constexpr int kShownCertificates = 20;
constexpr size_t kNamedNodes = 10;

Error NoRotation() {
  return Error{
      ErrorCode::kFailedPrecondition,
      "no CA rotation is in progress; 'outportctl ca rotate issuing' (or root) starts one"};
}

Error InProgress(const v1::RotationRow& row) {
  return Error{ErrorCode::kFailedPrecondition,
               "a rotation of the " + row.kind() +
                   " CA is already in progress; see 'outportctl ca rotate status'"};
}

// Fails if the rotation is not in the phase that the request expects. So a repeated request, or the
// same request of a second administrator, does not take a second step.
Result<void> CheckPhase(const std::optional<v1::RotationRow>& row, const std::string& from) {
  if (!row.has_value()) return NoRotation();
  if (row->phase() == from) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the rotation is in phase '" + row->phase() + "', not in '" + from.substr(0, 64) +
                   "': an earlier request, yours or another administrator's, took that step; see "
                   "'outportctl ca rotate status'"};
}

// Returns whether the node uses the trust bundle of `state` and all its certificates have the CA
// chain of `state`.
bool IsDone(const ConnectedNodes::Presence& presence, const TrustState& state) {
  return presence.connected && presence.trust_bundle_hash == pki::BundleHash(state.bundle) &&
         !presence.chain_hashes.empty() &&
         std::ranges::all_of(
             presence.chain_hashes,
             [chain = pki::BundleHash(state.chain)](const auto& shown) { return shown == chain; });
}

// These return the key id of the issuing CA whose certificates an undo revokes, or the last step.
const std::string& RevokedByUndo(const v1::RotationRow& row) { return row.new_issuer_key_id(); }
const std::string& RevokedByAdvance(const v1::RotationRow& row) { return row.old_issuer_key_id(); }

}  // namespace

Result<Rotation::Row> Rotation::ReadState() const {
  return ReadRow<v1::RotationRow>(parts_.meta, keys::kRotation);
}

Result<pki::Authority> Rotation::LoadCurrent() const {
  return LoadAuthority(parts_.pki, parts_.domain);
}

Result<TrustState> Rotation::TrustStateAt(const Row& row) const {
  TRY(const pki::Authority current, LoadCurrent());
  std::optional<NextAuthority> next;
  if (row.has_value()) {
    TRY(next, NextAuthority::Load(parts_.pki, parts_.domain));
  }
  return TrustStateIn(row.has_value() ? row->phase() : "", current, next);
}

Result<void> Rotation::Publish(const TrustState& state) const {
  parts_.authorities.Set(state);
  TRY(const std::vector<std::string> bundle, pki::SplitCertificates(state.bundle));
  std::set<std::string> issuers;
  for (const std::string& authority : bundle) {
    TRY(std::string key_id, IssuerKeyId(authority));
    issuers.insert(std::move(key_id));
  }
  parts_.follower.directory().SetIssuers(std::move(issuers));
  return WriteFleetFiles(parts_.pki, state, Now());
}

Result<void> Rotation::RenewServerCertificate() {
  MutexLock lock(changing_);
  return WriteFleetFiles(parts_.pki, *parts_.authorities.Current(), Now());
}

RenewalTime Rotation::Now() const {
  RenewalTime now{.wall = parts_.clock.Wall()};
  if (parts_.store_time_in_doubt) now.store = parts_.store_time_in_doubt();
  return now;
}

Result<void> Rotation::Recover() {
  MutexLock lock(changing_);
  TRY(Row row, ReadState());
  if (row.has_value() && row->phase() == kRetirePhase) {
    TRY_VOID(Complete(*row, Actor::Store()));
    row.reset();
  }
  if (!row.has_value()) TRY_VOID(RemoveNext(parts_.files, parts_.pki));
  TRY(const TrustState state, TrustStateAt(row));
  TRY(const auto published, ReadRow<v1::TrustRow>(parts_.meta, keys::kTrust));
  const std::string trust = state.ToRow().SerializeAsString();
  if (published.has_value() && published->SerializeAsString() != trust) {
    return Commit(row, row, "", Actor::Store());
  }
  return Publish(state);
}

Result<void> Rotation::Complete(const v1::RotationRow& row, const Actor& by) {
  TRY_VOID(PromoteNext(parts_.files, parts_.pki));
  TRY(const pki::Authority current, LoadCurrent());
  TRY(const std::string issuer, IssuerKeyId(current.issuing.certificate));
  if (issuer == row.new_issuer_key_id()) return Commit(row, std::nullopt, "", by);
  return Error{
      ErrorCode::kFailedPrecondition,
      parts_.pki.native() +
          " holds another authority than the one that the metadata names: restore both from "
          "one backup"};
}

Result<void> Rotation::Commit(const Row& before, const Row& row, const std::string& revoked_issuer,
                              const Actor& by, bool forced) {
  TRY(const TrustState state, TrustStateAt(row));
  v1::Change trust;
  *trust.mutable_trust() = state.ToRow();
  const Auditor auditor(by, parts_.clock);
  auto commit = [&](MetaTransaction& transaction) -> Result<void> {
    if (row.has_value()) {
      TRY_VOID(WriteRow(transaction, keys::kRotation, *row));
    } else {
      TRY_VOID(transaction.Delete(keys::kRotation));
    }
    TRY_VOID(WriteRow(transaction, keys::kTrust, trust.trust()));
    AppendChange(transaction, trust);
    if (!revoked_issuer.empty()) {
      v1::CertificateRow all;
      all.set_issuer_key_id(revoked_issuer);
      all.set_serial(std::string(kAllSerials));
      all.set_name("all certificates of a retired CA");
      TRY(const bool ignored,
          InsertRevocation(transaction, all, ToUnixMillis(parts_.clock.Wall()), by.name));
      static_cast<void>(ignored);
    }
    boost::json::value after = RowJson(row);
    if (forced) {
      if (after.is_null()) after = boost::json::object();
      after.as_object()["forced"] = true;
    }
    auditor.Add(transaction, "ca.rotate", "authority", RowJson(before), after);
    return {};
  };
  // Publish the state before the commit: a node requests certificates as soon as it receives the
  // change, and must get them from the new state.
  const auto previous = parts_.authorities.Current();
  parts_.authorities.Set(state);
  const Result<LogPosition> position = Transact(parts_.meta, commit);
  if (!position.has_value()) {
    parts_.authorities.Set(*previous);
    return position.error();
  }
  if (!revoked_issuer.empty()) {
    TRY_VOID(parts_.follower.Follow(keys::Revocation(revoked_issuer, std::string(kAllSerials))));
  }
  parts_.log.Info("ca rotation step committed", {{"kind", row.has_value() ? row->kind() : ""},
                                                 {"phase", row.has_value() ? row->phase() : "none"},
                                                 {"by", by.name},
                                                 {"sequence", position->sequence}});
  return Publish(state);
}

Result<v1::Rotation> Rotation::Get() const {
  MutexLock lock(changing_);
  TRY(const Row row, ReadState());
  return Describe(row);
}

Result<v1::PrepareRotationResponse> Rotation::Prepare(const v1::PrepareRotationRequest& request) {
  MutexLock lock(changing_);
  TRY(const Row row, ReadState());
  if (row.has_value()) return InProgress(*row);
  TRY(const pki::Authority current, LoadCurrent());
  TRY(const std::string key, MakeNextKey(parts_.files, parts_.pki, current, request.key_type()));
  v1::PrepareRotationResponse response;
  TRY(*response.mutable_request(), pki::CreateRequest(key));
  response.set_domain(parts_.domain);
  std::error_code ignored;
  response.set_root_key_at_store(std::filesystem::exists(parts_.pki / "root.key", ignored));
  return response;
}

Result<v1::Rotation> Rotation::Start(const v1::StartRotationRequest& request, const Actor& by) {
  MutexLock lock(changing_);
  TRY(const Row present, ReadState());
  if (present.has_value()) return InProgress(*present);
  TRY(const pki::Authority current, LoadCurrent());
  TRY_VOID(MakeNext(parts_.files, parts_.pki, current, request));
  TRY(const NextAuthority next, NextAuthority::Load(parts_.pki, parts_.domain));
  v1::RotationRow row;
  row.set_kind(request.kind());
  row.set_phase(kTrustPhase);
  row.set_begun_ms(ToUnixMillis(parts_.clock.Wall()));
  row.set_begun_by(by.name);
  TRY(*row.mutable_old_issuer_key_id(), IssuerKeyId(current.issuing.certificate));
  TRY(*row.mutable_new_issuer_key_id(), IssuerKeyId(next.authority.issuing.certificate));
  TRY_VOID(Commit(std::nullopt, row, "", by));
  return Describe(row);
}

Result<v1::Rotation> Rotation::Advance(const v1::AdvanceRotationRequest& request,
                                       const Administrator& by) {
  MutexLock lock(changing_);
  TRY(const Row row, ReadState());
  TRY_VOID(CheckPhase(row, request.from_phase()));
  v1::RotationRow next = *row;
  if (row->phase() == kTrustPhase) {
    TRY_VOID(CheckMayStep(*row, "", request.force(), by));
    next.set_phase(kCertificatesPhase);
    TRY_VOID(Commit(row, next, "", by.actor, request.force()));
    return Describe(next);
  }
  if (row->phase() == kCertificatesPhase) {
    TRY_VOID(CheckMayStep(*row, RevokedByAdvance(*row), request.force(), by));
    next.set_phase(kRetirePhase);
    TRY_VOID(Commit(row, next, RevokedByAdvance(*row), by.actor, request.force()));
  }
  TRY_VOID(Complete(next, by.actor));
  return Describe(std::nullopt);
}

Result<v1::Rotation> Rotation::Undo(const v1::UndoRotationRequest& request,
                                    const Administrator& by) {
  MutexLock lock(changing_);
  TRY(const Row row, ReadState());
  TRY_VOID(CheckPhase(row, request.from_phase()));
  if (row->phase() == kRetirePhase) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the last step has begun and cannot be undone; 'outportctl ca rotate continue' "
                 "completes it"};
  }
  if (row->phase() == kCertificatesPhase) {
    v1::RotationRow previous = *row;
    previous.set_phase(kTrustPhase);
    TRY_VOID(Commit(row, previous, "", by.actor, request.force()));
    return Describe(previous);
  }
  TRY(const bool issued, HasIssued(RevokedByUndo(*row)));
  const std::string revoked_issuer = issued ? RevokedByUndo(*row) : "";
  if (issued) TRY_VOID(CheckMayStep(*row, revoked_issuer, request.force(), by));
  TRY_VOID(Commit(row, std::nullopt, revoked_issuer, by.actor, request.force()));
  TRY_VOID(RemoveNext(parts_.files, parts_.pki));
  return Describe(std::nullopt);
}

Result<bool> Rotation::HasIssued(const std::string& issuer) const {
  TRY(const auto rows, parts_.meta.Scan({.prefix = keys::Certificate(issuer, ""), .limit = 1}));
  return !rows.empty();
}

Result<void> Rotation::CheckMayStep(const v1::RotationRow& row, const std::string& revoked_issuer,
                                    bool force, const Administrator& by) const {
  if (!revoked_issuer.empty() && by.certificate.issuer_key_id == revoked_issuer) {
    return Error{ErrorCode::kFailedPrecondition,
                 "this step would revoke your own certificate, and --force does not override that; "
                 "renew it first ('outportctl cert renew' with the folder of your profile)"};
  }
  if (force) return {};
  TRY(const v1::Rotation rotation, Describe(row));
  std::string missing;
  size_t count = 0;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    if (node.ready() || ++count > kNamedNodes) continue;
    missing +=
        (missing.empty() ? "" : ", ") + node.name() + (node.connected() ? "" : " (disconnected)");
  }
  if (count > kNamedNodes) missing += " and " + std::to_string(count - kNamedNodes) + " more";
  if (count > 0) {
    return Error{ErrorCode::kFailedPrecondition,
                 "nodes are not up to date: " + missing +
                     "; wait for them, or use --force and invite those nodes again"};
  }
  if (revoked_issuer.empty() || rotation.remaining_certificates() == 0) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "this step would revoke " + std::to_string(rotation.remaining_certificates()) +
                   " certificates of clients or administrators, the first one of '" +
                   rotation.certificates(0).name() +
                   "'; renew them ('outportctl cert renew' where they are used), or use --force"};
}

Result<v1::Rotation> Rotation::Describe(const Row& row) const {
  v1::Rotation rotation;
  TRY(const LogPosition head, parts_.meta.Head());
  rotation.set_sequence(head.sequence);
  if (!row.has_value()) return rotation;
  rotation.set_kind(row->kind());
  rotation.set_phase(row->phase());
  rotation.set_begun_ms(row->begun_ms());
  rotation.set_begun_by(row->begun_by());
  TRY(const NextAuthority next, NextAuthority::Load(parts_.pki, parts_.domain));
  if (!next.cross.empty()) rotation.set_next_root(next.authority.root.certificate);
  rotation.set_next_issuing(next.authority.issuing.certificate);
  const auto state = parts_.authorities.Current();
  auto add = [&](const v1::NodeRow& node_row) -> Result<void> {
    v1::Rotation::Node& node = *rotation.add_nodes();
    node.set_name(node_row.name());
    const auto presence = parts_.nodes.Find(node.name());
    node.set_connected(presence.has_value() && presence->connected);
    node.set_ready(presence.has_value() && IsDone(*presence, *state));
    return {};
  };
  TRY_VOID(ForEachRow<v1::NodeRow>(parts_.meta, keys::kNodes, add));
  const bool forward = row->phase() == kCertificatesPhase;
  const std::string& revoked = forward ? RevokedByAdvance(*row) : RevokedByUndo(*row);
  const std::string& other = forward ? RevokedByUndo(*row) : RevokedByAdvance(*row);
  TRY_VOID(FillCertificates(revoked, other, rotation));
  return rotation;
}

Result<void> Rotation::FillCertificates(const std::string& issuer, const std::string& other,
                                        v1::Rotation& rotation) const {
  // The holders ("client/desktop") that also have a certificate of the other CA, and so keep their
  // access.
  std::set<std::string> served;
  const auto holder = [](const v1::CertificateRow& row) { return row.role() + "/" + row.name(); };
  const auto serve = [&](const v1::CertificateRow& row) { served.insert(holder(row)); };
  TRY_VOID(ForEachValid(other, serve));
  const auto fill = [&](const v1::CertificateRow& row) {
    if (served.contains(holder(row))) return;
    rotation.set_remaining_certificates(rotation.remaining_certificates() + 1);
    if (rotation.certificates_size() < kShownCertificates) *rotation.add_certificates() = row;
  };
  return ForEachValid(issuer, fill);
}

Result<void> Rotation::ForEachValid(
    const std::string& issuer, const std::function<void(const v1::CertificateRow&)>& see) const {
  const int64_t now_ms = ToUnixMillis(parts_.clock.Wall());
  auto look = [&](const v1::CertificateRow& row) -> Result<void> {
    if (row.role() == ToString(Role::kNode) || row.not_after_ms() <= now_ms) return {};
    TRY(const bool revoked, HasRow(parts_.meta, keys::Revocation(issuer, row.serial())));
    if (!revoked) see(row);
    return {};
  };
  return ForEachRow<v1::CertificateRow>(parts_.meta, keys::Certificate(issuer, ""), look);
}

}  // namespace outport::store
