#include "store/fleet/members.h"

#include <utility>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/row_scan.h"
#include "registry/records/rows.h"
#include "store/access/narrowing.h"
#include "store/audit/row_json.h"
#include "store/authority/certificates.h"
#include "store/fleet/node_scope.h"

namespace outport::store {
namespace {

constexpr size_t kMaxInvitations = 1000;  // the limit of Invitations::Invite()

Error NoSuchNode(const std::string& node) {
  return Error{ErrorCode::kNotFound, "there is no node '" + node.substr(0, 128) +
                                         "'; 'outportctl node list' shows the nodes"};
}

v1::NodeRow WithPermissions(v1::NodeRow row, const std::vector<Grant>& allow) {
  row.clear_allow();
  for (const Grant& grant : allow) *row.add_allow() = ToGrantRecord(grant);
  return row;
}

Result<void> DeleteInvitations(MetaTransaction& transaction, const std::string& node) {
  TRY(const auto rows, transaction.Scan({std::string(keys::kInvitations), "", kMaxInvitations}));
  for (const KeyValue& pair : rows) {
    TRY(const auto row, ParseRow<v1::InvitationRow>(pair.key, pair.value));
    if (row.node() == node) TRY_VOID(transaction.Delete(pair.key));
  }
  return {};
}

}  // namespace

Result<v1::EnrollResponse> Members::Renew(const std::string& node, const v1::RenewRequest& request,
                                          const std::string& from) {
  const auto trust = rows_.authorities.Current();
  const Auditor auditor(Actor::Node(node, from), rows_.clock);
  v1::EnrollResponse response;
  auto renew = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto row, LockRow<v1::NodeRow>(transaction, keys::Node(node)));
    if (!row.has_value()) return NoMember(node);
    const int64_t now_ms = ToUnixMillis(rows_.clock.Wall());
    response.Clear();
    boost::json::array serials;
    const auto issue = [&](NodePurpose purpose, const std::string& csr) -> Result<std::string> {
      TRY(const auto issued, IssueToNode(trust->signer, *row, purpose, csr, rows_.lifetimes,
                                         transaction, now_ms, "renewal"));
      serials.emplace_back(issued.serial);
      return issued.certificate + trust->chain;
    };
    TRY(*response.mutable_identity_certificate(),
        issue(NodePurpose::kIdentity, request.identity_request()));
    if (!request.server_request().empty()) {
      TRY(*response.mutable_server_certificate(),
          issue(NodePurpose::kServer, request.server_request()));
    }
    auditor.Add(transaction, "node.renew", "node/" + node, nullptr,
                boost::json::object{{"serials", serials}});
    return {};
  };
  TRY_VOID(Transact(rows_.meta, renew));
  response.set_node(node);
  response.set_domain(trust->signer.domain);
  response.set_authorities(trust->bundle);
  rows_.log.Info("node certificates renewed", {{"node", node}, {"address", from}});
  return response;
}

Result<v1::NodeRow> Members::Find(const std::string& node) const {
  TRY(auto row, ReadRow<v1::NodeRow>(rows_.meta, keys::Node(node)));
  if (!row.has_value()) return NoSuchNode(node);
  return *std::move(row);
}

Result<int64_t> Members::PullsReportedMs(const std::string& node) const {
  TRY(const auto row, ReadRow<v1::NodeReportRow>(rows_.meta, keys::NodeReport(node)));
  return row.has_value() ? row->complete_until_ms() : int64_t{0};
}

Result<RowPage<v1::NodeRow>> Members::List(const std::string& after, size_t limit) const {
  return ListRows<v1::NodeRow>(rows_.meta, keys::kNodes, after, limit);
}

Result<bool> Members::ReceivesUser(const NodePermissions& node, const std::string& user) const {
  TRY(const auto row, ReadRow<v1::UserRow>(rows_.meta, keys::User(user)));
  if (!row.has_value()) return Error{ErrorCode::kNotFound, "there is no user '" + user + "'"};
  return NodeScope(node).ReceivesUser(*row, rows_.meta);
}

Result<v1::NodeRow> Members::Allow(const std::string& node, const std::vector<Grant>& allow,
                                   const Actor& by) {
  if (allow.empty()) {
    return Error{
        ErrorCode::kInvalidArgument,
        "a node needs at least one grant: name one, or remove the node with 'outportctl node "
        "remove'"};
  }
  TRY_VOID(CheckNodeGrants(allow));
  auto write = [rows = *this, node, allow, by] { return rows.WriteAllow(node, allow, by); };
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    TRY(const v1::NodeRow before, Present(node));
    if (!IsNarrowerNode(PermissionsOf(before).grants(), allow)) return std::nullopt;
    auto edit = [allow](PendingAccess::Value value) -> PendingAccess::Value {
      v1::NodeRow row;
      if (!value.has_value() || !row.ParseFromString(*value)) return std::nullopt;
      return WithPermissions(std::move(row), allow).SerializeAsString();
    };
    return PendingAccess::Change{
        .action = "node.set",
        .rows = {{keys::Node(node), std::move(edit)}},
        .follow = [rows = rows_, node] { static_cast<void>(rows.Follow(node, {})); }};
  };
  TRY_VOID(rows_.follower.pending().Commit(std::move(write), narrow));
  return Present(node);
}

Result<v1::NodeRow> Members::Present(const std::string& node) const {
  const std::string key = keys::Node(node);
  TRY(std::optional<std::string> value, rows_.meta.Get(key));
  value = rows_.follower.pending().Apply(key, std::move(value));
  if (!value.has_value()) return NoSuchNode(node);
  return ParseRow<v1::NodeRow>(key, *value);
}

Result<uint64_t> Members::WriteAllow(const std::string& node, const std::vector<Grant>& allow,
                                     const Actor& by) const {
  const Auditor auditor(by, rows_.clock);
  auto change = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto row, LockRow<v1::NodeRow>(transaction, keys::Node(node)));
    if (!row.has_value()) return NoSuchNode(node);
    const v1::NodeRow changed = WithPermissions(*row, allow);
    if (IsNarrowerNode(PermissionsOf(*row).grants(), allow)) {
      transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    }
    auditor.Add(transaction, "node.set", "node/" + node, RowJson(*row), RowJson(changed));
    return WriteRow(transaction, keys::Node(node), changed);
  };
  TRY(const LogPosition position, Transact(rows_.meta, change));
  TRY_VOID(rows_.Follow(node, {}));
  rows_.log.Info("node permissions changed", {{"node", node}, {"by", by.name}});
  return position.sequence;
}

Result<uint64_t> Members::Remove(const std::string& node, const Actor& by) {
  auto write = [rows = *this, node, by] { return rows.WriteRemoval(node, by); };
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    TRY_VOID(Present(node));
    PendingAccess::Change change{.action = "node.remove", .rows = {}, .follow = {}};
    std::vector<std::string> revoked;
    const int64_t now_ms = ToUnixMillis(rows_.clock.Wall());
    auto revoke = [&](const v1::CertificateRow& row) -> Result<void> {
      if (row.role() != ToString(Role::kNode) || row.name() != node) return {};
      if (row.not_after_ms() <= now_ms) return {};
      revoked.push_back(keys::Revocation(row.issuer_key_id(), row.serial()));
      change.rows[revoked.back()] = [value =
                                         RevocationOf(row, now_ms, by.name).SerializeAsString()](
                                        PendingAccess::Value present) {
        return present.has_value() ? present : PendingAccess::Value(value);
      };
      return {};
    };
    TRY_VOID(ForEachRow<v1::CertificateRow>(rows_.meta, keys::kCertificates, revoke));
    change.rows[keys::Node(node)] = [](const auto&) { return std::nullopt; };
    change.follow = [rows = rows_, node, revoked] {
      static_cast<void>(rows.Follow(node, revoked));
    };
    return change;
  };
  return rows_.follower.pending().Commit(std::move(write), narrow);
}

Result<uint64_t> Members::WriteRemoval(const std::string& node, const Actor& by) const {
  const Auditor auditor(by, rows_.clock);
  std::vector<std::string> revoked;
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    const std::string key = keys::Node(node);
    TRY(const auto row, LockRow<v1::NodeRow>(transaction, key));
    if (!row.has_value()) return NoSuchNode(node);
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY_VOID(DeleteInvitations(transaction, node));
    TRY(revoked, RevokeNodeCertificates(rows_.meta, transaction, node,
                                        ToUnixMillis(rows_.clock.Wall()), by.name));
    auditor.Add(transaction, "node.remove", "node/" + node, RowJson(*row), nullptr);
    TRY_VOID(transaction.Delete(keys::NodeReport(node)));
    return transaction.Delete(key);
  };
  TRY(const LogPosition position, Transact(rows_.meta, remove));
  TRY_VOID(rows_.Follow(node, revoked));
  rows_.log.Info("node removed", {{"node", node}, {"by", by.name}});
  return position.sequence;
}

}  // namespace outport::store
