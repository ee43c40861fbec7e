#include "store/invitations.h"

#include "registry/base/bytes.h"
#include "registry/security/invitation.h"
#include "registry/storage/keys.h"
#include "store/rows.h"

namespace outport::store {
namespace {

constexpr std::chrono::hours kDefaultLifetime{1};
constexpr std::chrono::days kMaxLifetime{7};
// How long an expired invitation is remembered, so that it can be told from a wrong one.
constexpr std::chrono::days kRemembered{7};
constexpr size_t kMaxInvitations = 1000;
constexpr size_t kSecretBytes = 32;

Error Denied(const std::string& what, const std::string& node = "NAME") {
  return Error{ErrorCode::kDenied, what +
                                       "; ask an administrator for a new one: outportctl node "
                                       "invite " +
                                       node};
}

// What the invitation binds to: both keys, so that neither can be exchanged in a retry.
Result<std::string> KeysOf(const v1::EnrollRequest& request) {
  TRY(const std::string identity, pki::KeyFingerprint(request.identity_request()));
  TRY(const std::string server, pki::KeyFingerprint(request.server_request()));
  return identity + "+" + server;
}

Result<void> CheckInvitation(const std::optional<v1::InvitationRow>& row, const std::string& keys,
                             int64_t now_ms) {
  if (!row.has_value()) return Denied("no invitation has this token");
  if (row->expires_ms() <= now_ms) return Denied("the invitation has expired", row->node());
  if (!row->used_by_key().empty() && row->used_by_key() != keys) {
    return Denied("the invitation has been used, by another key", row->node());
  }
  return {};
}

std::string FingerprintOf(const pki::Authority& authority) {
  return pki::Fingerprint(authority.root.certificate).value_or("");
}

}  // namespace

Invitations::Invitations(MetaStore& meta, pki::Authority authority, AccessFollower& follower,
                         NodeLifetimes lifetimes, std::string fleet_address, const Clock& clock,
                         Log log)
    : meta_(meta),
      authority_(std::move(authority)),
      follower_(follower),
      lifetimes_(lifetimes),
      root_fingerprint_(FingerprintOf(authority_)),
      fleet_address_(std::move(fleet_address)),
      clock_(clock),
      log_(std::move(log)) {}

Result<Invitations::Invitation> Invitations::Invite(const std::string& node,
                                                    const std::vector<std::string>& host_names,
                                                    std::chrono::milliseconds lifetime,
                                                    const Actor& by, TakenName taken) {
  TRY(const std::string name, ParseSubjectName(node));
  if (host_names.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "node '" + name +
                     "' needs a host name or an address that clients reach it by: "
                     "--host HOST_OR_IP"};
  }
  TRY_VOID(pki::CheckHostNames(host_names));
  if (lifetime.count() == 0) lifetime = kDefaultLifetime;
  if (lifetime.count() < 0 || lifetime > kMaxLifetime) {
    return Error{ErrorCode::kInvalidArgument, "an invitation lasts at most 7 days"};
  }
  const int64_t now_ms = ToUnixMillis(clock_.Wall());
  const InvitationToken token{fleet_address_, root_fingerprint_, name, RandomHex(kSecretBytes)};
  v1::InvitationRow row;
  row.set_node(name);
  row.mutable_host_names()->Assign(host_names.begin(), host_names.end());
  row.set_expires_ms(now_ms + lifetime.count());
  row.set_invited_by(by.name);
  row.set_replace(taken == TakenName::kReplace);
  const Auditor auditor(by, clock_);
  auto enter = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, LockRow<v1::NodeRow>(transaction, keys::Node(name)));
    if (present.has_value() && taken == TakenName::kRefuse) {
      return Error{ErrorCode::kAlreadyExists,
                   "node '" + name +
                       "' is in the fleet already; --replace invites a machine to take its place: "
                       "the certificates of the one that has it are refused from then on"};
    }
    TRY_VOID(ForgetOld(transaction, now_ms));
    auditor.Add(transaction, "node.invite", "node/" + name, nullptr, RowJson(row));
    return WriteRow(transaction, keys::Invitation(HashInvitationSecret(token.secret)), row);
  };
  TRY_VOID(Transact(meta_, enter));
  log_.Info("node invited", {{"node", name}, {"by", by.name}, {"expires_ms", row.expires_ms()}});
  return Invitation{token.Encode(), row.expires_ms()};
}

Result<void> Invitations::ForgetOld(MetaTransaction& transaction, int64_t now_ms) const {
  const int64_t remembered_ms = std::chrono::milliseconds(kRemembered).count();
  TRY(const auto rows, transaction.Scan({std::string(keys::kInvitations), "", kMaxInvitations}));
  size_t left = 0;
  for (const KeyValue& pair : rows) {
    TRY(const auto row, ParseRow<v1::InvitationRow>(pair.key, pair.value));
    if (row.expires_ms() + remembered_ms <= now_ms) {
      TRY_VOID(transaction.Delete(pair.key));
    } else {
      ++left;
    }
  }
  if (left < kMaxInvitations) return {};
  return Error{ErrorCode::kTooManyRequests,
               "1000 invitations were made in the last week; wait until the oldest are forgotten"};
}

Result<v1::EnrollResponse> Invitations::Enroll(const v1::EnrollRequest& request,
                                               const std::string& from) {
  // Found by the hash of the secret: how long that takes tells nothing about the secret.
  const std::string key = keys::Invitation(HashInvitationSecret(request.secret()));
  v1::EnrollResponse response;
  std::vector<std::string> revoked;
  auto enroll = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto invitation, LockRow<v1::InvitationRow>(transaction, key));
    const int64_t now_ms = ToUnixMillis(clock_.Wall());
    if (!invitation.has_value()) return CheckInvitation(invitation, "", now_ms);
    TRY(const std::string used_by, KeysOf(request));
    TRY_VOID(CheckInvitation(invitation, used_by, now_ms));
    const bool first_use = invitation->used_by_key().empty();
    v1::NodeRow node;
    node.set_name(invitation->node());
    *node.mutable_host_names() = invitation->host_names();
    node.set_joined_ms(now_ms);
    TRY(const auto before, LockRow<v1::NodeRow>(transaction, keys::Node(node.name())));
    revoked.clear();
    if (before.has_value() && first_use) {
      if (!invitation->replace()) {
        return Denied("another machine has joined as node '" + node.name() + "' meanwhile",
                      node.name() + " --replace");
      }
      TRY(revoked, RevokeNodesCertificates(meta_, transaction, node.name(), now_ms,
                                           invitation->invited_by()));
    }
    const std::string issued_by = "invitation of " + invitation->invited_by();
    TRY(const auto identity,
        IssueToNode(authority_, node, NodePurpose::kIdentity, request.identity_request(),
                    lifetimes_, transaction, now_ms, issued_by));
    TRY(const auto server,
        IssueToNode(authority_, node, NodePurpose::kServer, request.server_request(), lifetimes_,
                    transaction, now_ms, issued_by));
    invitation->set_used_by_key(used_by);
    TRY_VOID(WriteRow(transaction, key, *invitation));
    response.set_node(invitation->node());
    response.set_identity_certificate(identity.certificate + authority_.issuing.certificate);
    response.set_server_certificate(server.certificate + authority_.issuing.certificate);
    const Auditor auditor(Actor::Node(node.name(), from), clock_);
    boost::json::value after = RowJson(node);
    after.as_object()["serials"] = {identity.serial, server.serial};
    auditor.Add(transaction, "node.enroll", "node/" + node.name(), RowJson(before), after);
    return WriteRow(transaction, keys::Node(node.name()), node);
  };
  const Result<LogPosition> done = Transact(meta_, enroll);
  if (!done.has_value()) {
    log_.Warning("enrolment refused", {{"from", from}, {"cause", done.error().message}});
    return done.error();
  }
  for (const std::string& revocation : revoked) TRY_VOID(follower_.Follow(revocation));
  response.set_domain(authority_.domain);
  response.set_authorities(authority_.root.certificate + authority_.issuing.certificate);
  log_.Info("node joined", {{"node", response.node()}, {"from", from}});
  return response;
}

Result<Invitations::NodePage> Invitations::ListNodes(const std::string& after, size_t limit) const {
  const ScanRange range{std::string(keys::kNodes), after.empty() ? "" : keys::Node(after),
                        limit + 1};
  TRY(const std::vector<KeyValue> found, meta_.Scan(range));
  NodePage page;
  for (const KeyValue& pair : found) {
    page.more = page.rows.size() == limit;
    if (page.more) break;
    TRY(v1::NodeRow row, ParseRow<v1::NodeRow>(pair.key, pair.value));
    page.rows.push_back(std::move(row));
  }
  return page;
}

}  // namespace outport::store
