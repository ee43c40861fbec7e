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
#include "store/authority/fleet_files.h"
#include "store/authority/next_authority.h"

namespace outport::store {
namespace {

constexpr int kShownCertificates = 20;
constexpr size_t kNamedNodes = 10;

Error NoRotation() {
  return Error{ErrorCode::kFailedPrecondition,
               "no authority is being replaced; 'outportctl ca rotate issuing' (or root) begins"};
}

Error UnderWay(const v1::RotationRow& row) {
  return Error{ErrorCode::kFailedPrecondition,
               "the fleet's " + row.kind() +
                   " authority is being replaced already: 'outportctl ca rotate status' tells how "
                   "far that is"};
}

// A request that was sent again, or by two, takes one step and no more.
Result<void> CheckPhase(const std::optional<v1::RotationRow>& row, const std::string& from) {
  if (!row.has_value()) return NoRotation();
  if (row->phase() == from) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "the rotation is in the phase '" + row->phase() + "' and not in '" +
                   from.substr(0, 64) +
                   "' any more: somebody, or an earlier try of yours, took that step; see "
                   "'outportctl ca rotate status'"};
}

// Whether the node trusts whom it is to trust, and shows what it is to show.
bool IsDone(const ConnectedNodes::Presence& presence, const TrustState& standing) {
  return presence.connected && presence.trust_bundle_hash == pki::BundleHash(standing.bundle) &&
         !presence.chain_hashes.empty() &&
         std::ranges::all_of(presence.chain_hashes,
                             [chain = pki::BundleHash(standing.chain)](const auto& shown) {
                               return shown == chain;
                             });
}

// What the next step refuses, and what the step back.
const std::string& RefusedByUndo(const v1::RotationRow& row) { return row.new_issuer_key_id(); }
const std::string& RefusedByAdvance(const v1::RotationRow& row) { return row.old_issuer_key_id(); }

}  // namespace

Result<Rotation::Row> Rotation::Read() const {
  return ReadRow<v1::RotationRow>(parts_.meta, keys::kRotation);
}

Result<pki::Authority> Rotation::Current() const {
  return LoadAuthority(parts_.pki, parts_.domain);
}

Result<TrustState> Rotation::TrustStateAt(const Row& row) const {
  TRY(const pki::Authority current, Current());
  std::optional<NextAuthority> next;
  if (row.has_value()) {
    TRY(next, NextAuthority::Load(parts_.pki, parts_.domain));
  }
  return TrustStateIn(row.has_value() ? row->phase() : "", current, next);
}

Result<void> Rotation::Show(const TrustState& standing) const {
  parts_.authorities.Set(standing);
  TRY(const std::vector<std::string> trusted, pki::SplitCertificates(standing.bundle));
  std::set<std::string> issuers;
  for (const std::string& authority : trusted) {
    TRY(std::string key_id, IssuerKeyId(authority));
    issuers.insert(std::move(key_id));
  }
  parts_.follower.directory().SetIssuers(std::move(issuers));
  return WriteFleetFiles(parts_.pki, standing, parts_.clock.Wall());
}

Result<void> Rotation::RenewServerCertificate() {
  MutexLock lock(changing_);
  return WriteFleetFiles(parts_.pki, *parts_.authorities.Current(), parts_.clock.Wall());
}

Result<void> Rotation::Recover() {
  MutexLock lock(changing_);
  TRY(Row row, Read());
  if (row.has_value() && row->phase() == kRetirePhase) {
    TRY_VOID(Finish(*row, Actor::Store()));
    row.reset();
  }
  if (!row.has_value()) TRY_VOID(RemoveNext(parts_.files, parts_.pki));
  TRY(const TrustState standing, TrustStateAt(row));
  TRY(const auto told, ReadRow<v1::TrustRow>(parts_.meta, keys::kTrust));
  const std::string trust = standing.ToRow().SerializeAsString();
  if (told.has_value() && told->SerializeAsString() != trust) {
    return Enter(row, row, "", Actor::Store());
  }
  return Show(standing);
}

Result<void> Rotation::Finish(const v1::RotationRow& row, const Actor& by) {
  TRY_VOID(PromoteNext(parts_.files, parts_.pki));
  TRY(const pki::Authority current, Current());
  TRY(const std::string issuer, IssuerKeyId(current.issuing.certificate));
  if (issuer == row.new_issuer_key_id()) return Enter(row, std::nullopt, "", by);
  return Error{ErrorCode::kFailedPrecondition,
               parts_.pki.native() +
                   " holds another authority than the metadata says was made the current one: "
                   "restore both from one backup"};
}

Result<void> Rotation::Enter(const Row& before, const Row& row, const std::string& refused,
                             const Actor& by, bool forced) {
  TRY(const TrustState standing, TrustStateAt(row));
  v1::Change trust;
  *trust.mutable_trust() = standing.ToRow();
  const Auditor auditor(by, parts_.clock);
  auto enter = [&](MetaTransaction& transaction) -> Result<void> {
    if (row.has_value()) {
      TRY_VOID(WriteRow(transaction, keys::kRotation, *row));
    } else {
      TRY_VOID(transaction.Delete(keys::kRotation));
    }
    TRY_VOID(WriteRow(transaction, keys::kTrust, trust.trust()));
    AppendChange(transaction, trust);
    if (!refused.empty()) {
      v1::CertificateRow all;
      all.set_issuer_key_id(refused);
      all.set_serial(std::string(kAllSerials));
      all.set_name("everything of a CA that is gone");
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
  // First: a node that hears of it comes for certificates at once.
  const auto issued_before = parts_.authorities.Current();
  parts_.authorities.Set(standing);
  const Result<LogPosition> position = Transact(parts_.meta, enter);
  if (!position.has_value()) {
    parts_.authorities.Set(*issued_before);
    return position.error();
  }
  if (!refused.empty()) {
    TRY_VOID(parts_.follower.Follow(keys::Revocation(refused, std::string(kAllSerials))));
  }
  parts_.log.Info("the fleet's authorities change",
                  {{"kind", row.has_value() ? row->kind() : ""},
                   {"phase", row.has_value() ? row->phase() : "none"},
                   {"by", by.name},
                   {"sequence", position->sequence}});
  return Show(standing);
}

Result<v1::Rotation> Rotation::Get() const {
  MutexLock lock(changing_);
  TRY(const Row row, Read());
  return Describe(row);
}

Result<v1::PrepareRotationResponse> Rotation::Prepare(const v1::PrepareRotationRequest& request) {
  MutexLock lock(changing_);
  TRY(const Row row, Read());
  if (row.has_value()) return UnderWay(*row);
  TRY(const pki::Authority current, Current());
  TRY(const std::string key, MakeNextKey(parts_.files, parts_.pki, current, request.key_type()));
  v1::PrepareRotationResponse response;
  TRY(*response.mutable_request(), pki::CreateRequest(key));
  response.set_domain(parts_.domain);
  std::error_code ignored;
  response.set_root_key_here(std::filesystem::exists(parts_.pki / "root.key", ignored));
  return response;
}

Result<v1::Rotation> Rotation::Start(const v1::StartRotationRequest& request, const Actor& by) {
  MutexLock lock(changing_);
  TRY(const Row present, Read());
  if (present.has_value()) return UnderWay(*present);
  TRY(const pki::Authority current, Current());
  TRY_VOID(MakeNext(parts_.files, parts_.pki, current, request));
  TRY(const NextAuthority next, NextAuthority::Load(parts_.pki, parts_.domain));
  v1::RotationRow row;
  row.set_kind(request.kind());
  row.set_phase(kTrustPhase);
  row.set_begun_ms(ToUnixMillis(parts_.clock.Wall()));
  row.set_begun_by(by.name);
  TRY(*row.mutable_old_issuer_key_id(), IssuerKeyId(current.issuing.certificate));
  TRY(*row.mutable_new_issuer_key_id(), IssuerKeyId(next.authority.issuing.certificate));
  TRY_VOID(Enter(std::nullopt, row, "", by));
  return Describe(row);
}

Result<v1::Rotation> Rotation::Advance(const v1::AdvanceRotationRequest& request,
                                       const Administrator& by) {
  MutexLock lock(changing_);
  TRY(const Row row, Read());
  TRY_VOID(CheckPhase(row, request.from_phase()));
  v1::RotationRow next = *row;
  if (row->phase() == kTrustPhase) {
    TRY_VOID(CheckStep(*row, "", request.force(), by));
    next.set_phase(kCertificatesPhase);
    TRY_VOID(Enter(row, next, "", by.actor, request.force()));
    return Describe(next);
  }
  if (row->phase() == kCertificatesPhase) {
    TRY_VOID(CheckStep(*row, RefusedByAdvance(*row), request.force(), by));
    next.set_phase(kRetirePhase);
    TRY_VOID(Enter(row, next, RefusedByAdvance(*row), by.actor, request.force()));
  }
  TRY_VOID(Finish(next, by.actor));
  return Describe(std::nullopt);
}

Result<v1::Rotation> Rotation::Undo(const v1::UndoRotationRequest& request,
                                    const Administrator& by) {
  MutexLock lock(changing_);
  TRY(const Row row, Read());
  TRY_VOID(CheckPhase(row, request.from_phase()));
  if (row->phase() == kRetirePhase) {
    return Error{ErrorCode::kFailedPrecondition,
                 "the last step was begun, and is not undone any more: 'outportctl ca rotate "
                 "continue' finishes it"};
  }
  if (row->phase() == kCertificatesPhase) {
    v1::RotationRow previous = *row;
    previous.set_phase(kTrustPhase);
    TRY_VOID(Enter(row, previous, "", by.actor, request.force()));
    return Describe(previous);
  }
  TRY(const bool issued, HasIssued(RefusedByUndo(*row)));
  const std::string refused = issued ? RefusedByUndo(*row) : "";
  if (issued) TRY_VOID(CheckStep(*row, refused, request.force(), by));
  TRY_VOID(Enter(row, std::nullopt, refused, by.actor, request.force()));
  TRY_VOID(RemoveNext(parts_.files, parts_.pki));
  return Describe(std::nullopt);
}

Result<bool> Rotation::HasIssued(const std::string& issuer) const {
  TRY(const auto rows, parts_.meta.Scan({.prefix = keys::Certificate(issuer, ""), .limit = 1}));
  return !rows.empty();
}

Result<void> Rotation::CheckStep(const v1::RotationRow& row, const std::string& refused, bool force,
                                 const Administrator& by) const {
  if (!refused.empty() && by.certificate.issuer_key_id == refused) {
    return Error{ErrorCode::kFailedPrecondition,
                 "your own certificate is of the authority that would be refused from then on, and "
                 "nothing forces that: renew it first ('outportctl cert renew' with the folder of "
                 "your profile)"};
  }
  if (force) return {};
  TRY(const v1::Rotation rotation, Describe(row));
  std::string missing;
  size_t count = 0;
  for (const v1::Rotation::Node& node : rotation.nodes()) {
    if (node.done() || ++count > kNamedNodes) continue;
    missing += (missing.empty() ? "" : ", ") + node.name() + (node.connected() ? "" : " (away)");
  }
  if (count > kNamedNodes) missing += " and " + std::to_string(count - kNamedNodes) + " more";
  if (count > 0) {
    return Error{ErrorCode::kFailedPrecondition,
                 "nodes have not done their part yet: " + missing +
                     "; wait for them, or --force it, and invite those that are left behind again"};
  }
  if (refused.empty() || rotation.certificates_left() == 0) return {};
  return Error{ErrorCode::kFailedPrecondition,
               std::to_string(rotation.certificates_left()) +
                   " certificates of clients or administrators would be refused from then on, the "
                   "first that of '" +
                   rotation.certificates(0).name() +
                   "'; renew them ('outportctl cert renew' where they are), or --force it"};
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
  const auto standing = parts_.authorities.Current();
  auto add = [&](const v1::NodeRow& node_row) -> Result<void> {
    v1::Rotation::Node& node = *rotation.add_nodes();
    node.set_name(node_row.name());
    const auto presence = parts_.nodes.Find(node.name());
    node.set_connected(presence.has_value() && presence->connected);
    node.set_done(presence.has_value() && IsDone(*presence, *standing));
    return {};
  };
  TRY_VOID(ForEachRow<v1::NodeRow>(parts_.meta, keys::kNodes, add));
  const bool forward = row->phase() == kCertificatesPhase;
  const std::string& goes = forward ? RefusedByAdvance(*row) : RefusedByUndo(*row);
  const std::string& stays = forward ? RefusedByUndo(*row) : RefusedByAdvance(*row);
  TRY_VOID(FillCertificates(goes, stays, rotation));
  return rotation;
}

Result<void> Rotation::FillCertificates(const std::string& issuer, const std::string& other,
                                        v1::Rotation& rotation) const {
  // "client/desktop": who has another certificate is not shut out.
  std::set<std::string> served;
  const auto holder = [](const v1::CertificateRow& row) { return row.role() + "/" + row.name(); };
  const auto serve = [&](const v1::CertificateRow& row) { served.insert(holder(row)); };
  TRY_VOID(ForEachValid(other, serve));
  const auto fill = [&](const v1::CertificateRow& row) {
    if (served.contains(holder(row))) return;
    rotation.set_certificates_left(rotation.certificates_left() + 1);
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
