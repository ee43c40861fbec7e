#include "store/fleet/invitations.h"

#include <utility>

#include "registry/base/bytes.h"
#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/security/pki/invitation.h"
#include "store/audit/row_json.h"

namespace outport::store {
namespace {

constexpr std::chrono::hours kDefaultLifetime{1};
constexpr std::chrono::days kMaxLifetime{7};
// The row of an expired invitation remains for this long, so that a node with its token gets a
// precise error.
constexpr std::chrono::days kKeepExpired{7};
constexpr size_t kMaxInvitations = 1000;
constexpr size_t kSecretBytes = 32;

Error Denied(const std::string& what, const std::string& node = "NAME",
             const std::string& option = {}) {
  return Error{ErrorCode::kDenied, what +
                                       "; ask an administrator for a new one: outportctl node "
                                       "invite " +
                                       node + " --host HOST" + option};
}

// Returns the fingerprints of both keys, to which the invitation is bound. So a retry cannot
// replace one of the keys.
Result<std::string> KeyFingerprintsOf(const v1::EnrollRequest& request) {
  TRY(const std::string identity, pki::KeyFingerprint(request.identity_request()));
  TRY(const std::string server, pki::KeyFingerprint(request.server_request()));
  return identity + "+" + server;
}

Result<void> CheckInvitation(const std::optional<v1::InvitationRow>& row, const std::string& keys,
                             int64_t now_ms) {
  if (!row.has_value()) {
    return Denied("no invitation has this token, or a newer invitation replaced it");
  }
  if (row->expires_ms() <= now_ms) return Denied("the invitation has expired", row->node());
  if (!row->used_by_key().empty() && row->used_by_key() != keys) {
    return Denied("the invitation has been used by another key", row->node(), " --replace");
  }
  return {};
}

// Deletes the invitations of `node`, and all invitations that expired more than kKeepExpired ago.
Result<void> DeleteOthers(MetaTransaction& transaction, const std::string& node, int64_t now_ms) {
  const int64_t keep_ms = std::chrono::milliseconds(kKeepExpired).count();
  TRY(const auto rows, transaction.Scan({std::string(keys::kInvitations), "", kMaxInvitations}));
  size_t left = 0;
  for (const KeyValue& pair : rows) {
    TRY(const auto row, ParseRow<v1::InvitationRow>(pair.key, pair.value));
    if (row.node() == node || row.expires_ms() + keep_ms <= now_ms) {
      TRY_VOID(transaction.Delete(pair.key));
    } else {
      ++left;
    }
  }
  if (left < kMaxInvitations) return {};
  return Error{ErrorCode::kTooManyRequests,
               "too many invitations: 1000 were made in the last week; wait until the store "
               "deletes the oldest"};
}

Result<void> CheckOptions(const Invitations::Options& options) {
  TRY_VOID(ParseSubjectName(options.node));
  if (options.host_names.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "node '" + options.node +
                     "' needs a host name or an address that clients reach it by: "
                     "--host HOST_OR_IP"};
  }
  TRY_VOID(pki::CheckHostNames(options.host_names));
  TRY_VOID(CheckNodeGrants(options.allow));
  if (options.lifetime.count() >= 0 && options.lifetime <= kMaxLifetime) return {};
  return Error{ErrorCode::kInvalidArgument,
               "an invitation may last at most 7 days; ask for a shorter time"};
}

v1::InvitationRow ToRow(const Invitations::Options& options, const std::string& by,
                        int64_t now_ms) {
  const auto lifetime = options.lifetime.count() == 0 ? kDefaultLifetime : options.lifetime;
  v1::InvitationRow row;
  row.set_node(options.node);
  row.mutable_host_names()->Assign(options.host_names.begin(), options.host_names.end());
  row.set_expires_ms(now_ms + lifetime.count());
  row.set_invited_by(by);
  row.set_replace(options.existing == Invitations::ExistingNode::kReplace);
  for (const Grant& grant : options.allow) *row.add_allow() = ToGrantRecord(grant);
  return row;
}

// Returns the row of the node that enrols. If the node only repeats the call with the same keys,
// the row keeps its permissions, because an administrator may have changed them since the first
// call.
v1::NodeRow ToNode(const v1::InvitationRow& invitation, const std::optional<v1::NodeRow>& before,
                   bool first_use, int64_t now_ms) {
  v1::NodeRow node;
  node.set_name(invitation.node());
  *node.mutable_host_names() = invitation.host_names();
  node.set_joined_ms(now_ms);
  const bool keep = before.has_value() && (!first_use || invitation.allow().empty());
  *node.mutable_allow() = keep ? before->allow() : invitation.allow();
  return node;
}

}  // namespace

Result<Invitations::Invitation> Invitations::Invite(const Options& options, const Actor& by) {
  TRY_VOID(CheckOptions(options));
  const int64_t now_ms = ToUnixMillis(rows_.clock.Wall());
  const auto trust = rows_.authorities.Current();
  TRY(const std::string root, pki::Fingerprint(trust->signer.root.certificate));
  const InvitationToken token{fleet_address_, root, options.node, RandomHex(kSecretBytes)};
  const v1::InvitationRow row = ToRow(options, by.name, now_ms);
  const Auditor auditor(by, rows_.clock);
  auto insert = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, LockRow<v1::NodeRow>(transaction, keys::Node(options.node)));
    if (present.has_value() && options.existing == ExistingNode::kReject) {
      return Error{
          ErrorCode::kAlreadyExists,
          "node '" + options.node +
              "' is already in the fleet; with --replace, a new machine may take the name, "
              "and the certificates of the present machine are then revoked"};
    }
    TRY_VOID(DeleteOthers(transaction, options.node, now_ms));
    auditor.Add(transaction, "node.invite", "node/" + options.node, nullptr, RowJson(row));
    return WriteRow(transaction, keys::Invitation(HashInvitationSecret(token.secret)), row);
  };
  TRY_VOID(Transact(rows_.meta, insert));
  rows_.log.Info("node invited",
                 {{"node", options.node}, {"by", by.name}, {"expires_ms", row.expires_ms()}});
  return Invitation{token.Encode(), row.expires_ms()};
}

Result<v1::EnrollResponse> Invitations::Enroll(const v1::EnrollRequest& request,
                                               const std::string& from) {
  // The key is a hash of the secret, so that the time of the lookup reveals nothing about the
  // secret.
  const std::string key = keys::Invitation(HashInvitationSecret(request.secret()));
  const auto trust = rows_.authorities.Current();
  v1::EnrollResponse response;
  std::vector<std::string> revoked;
  auto enroll = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto invitation, LockRow<v1::InvitationRow>(transaction, key));
    const int64_t now_ms = ToUnixMillis(rows_.clock.Wall());
    if (!invitation.has_value()) return CheckInvitation(invitation, "", now_ms);
    TRY(const std::string used_by, KeyFingerprintsOf(request));
    TRY_VOID(CheckInvitation(invitation, used_by, now_ms));
    const bool first_use = invitation->used_by_key().empty();
    TRY(const auto before, LockRow<v1::NodeRow>(transaction, keys::Node(invitation->node())));
    const v1::NodeRow node = ToNode(*invitation, before, first_use, now_ms);
    revoked.clear();
    if (before.has_value() && first_use) {
      if (!invitation->replace()) {
        return Denied("another machine has joined as node '" + node.name() + "' meanwhile",
                      node.name(), " --replace");
      }
      TRY(revoked, RevokeNodeCertificates(rows_.meta, transaction, node.name(), now_ms,
                                          invitation->invited_by()));
    }
    const std::string issued_by = "invitation of " + invitation->invited_by();
    TRY(const auto identity,
        IssueToNode(trust->signer, node, NodePurpose::kIdentity, request.identity_request(),
                    rows_.lifetimes, transaction, now_ms, issued_by));
    TRY(const auto server,
        IssueToNode(trust->signer, node, NodePurpose::kServer, request.server_request(),
                    rows_.lifetimes, transaction, now_ms, issued_by));
    invitation->set_used_by_key(used_by);
    TRY_VOID(WriteRow(transaction, key, *invitation));
    response.set_node(invitation->node());
    response.set_identity_certificate(identity.certificate + trust->chain);
    response.set_server_certificate(server.certificate + trust->chain);
    const Auditor auditor(Actor::Node(node.name(), from), rows_.clock);
    boost::json::value after = RowJson(node);
    after.as_object()["serials"] = {identity.serial, server.serial};
    auditor.Add(transaction, "node.enroll", "node/" + node.name(), RowJson(before), after);
    return WriteRow(transaction, keys::Node(node.name()), node);
  };
  const Result<LogPosition> done = Transact(rows_.meta, enroll);
  if (!done.has_value()) {
    rows_.log.Warning("enrollment denied", {{"address", from}, {"error", done.error().message}});
    return done.error();
  }
  TRY_VOID(rows_.Follow(response.node(), revoked));
  response.set_domain(trust->signer.domain);
  response.set_authorities(trust->bundle);
  rows_.log.Info("node joined", {{"node", response.node()}, {"address", from}});
  return response;
}

}  // namespace outport::store
