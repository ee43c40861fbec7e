#include "store/fleet/node_scope.h"

#include <algorithm>
#include <utility>

#include "registry/records/keys.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr std::string_view kGroup = "group:";

// Returns the repository of the changed row; empty if the row belongs to no repository.
std::string_view RepositoryOf(const v1::Change& change) {
  switch (change.kind_case()) {
    case v1::Change::kRepository:
      return change.repository().repository();
    case v1::Change::kTagSet:
      return change.tag_set().repository();
    case v1::Change::kTagDeleted:
      return change.tag_deleted().repository();
    case v1::Change::kManifestPut:
      return change.manifest_put().repository();
    case v1::Change::kManifestDeleted:
      return change.manifest_deleted().repository();
    case v1::Change::kLink:
      return change.link().repository();
    case v1::Change::kUnlink:
      return change.unlink().repository();
    case v1::Change::kReferrerSet:
      return change.referrer_set().repository();
    case v1::Change::kReferrerDeleted:
      return change.referrer_deleted().repository();
    case v1::Change::kTombstone:
      return change.tombstone().repository();
    case v1::Change::kUserSet:
    case v1::Change::kUserDeleted:
    case v1::Change::kGrantsSet:
    case v1::Change::kRevoked:
    case v1::Change::kTrust:
    case v1::Change::KIND_NOT_SET:
      break;
  }
  return {};
}

}  // namespace

NodeScope::NodeScope(const NodePermissions& node)
    : node_(node),
      patterns_(node.Scope()),
      everything_(patterns_ == std::vector{std::string(kEverything)}) {}

bool NodeScope::Covers(std::string_view repository) const {
  return std::ranges::any_of(patterns_, [repository](const std::string& pattern) {
    return MatchesPattern(pattern, repository);
  });
}

bool NodeScope::MayUseSomeOf(const Grants& grants) const {
  return std::ranges::any_of(
      grants, [this](const v1::Grant& grant) { return node_.MayPullSomeOf(grant.pattern()); });
}

void NodeScope::RemoveGrantsOutside(Grants& grants) const {
  const auto outside = [this](const v1::Grant& grant) {
    return !node_.MayPullSomeOf(grant.pattern());
  };
  grants.erase(std::remove_if(grants.begin(), grants.end(), outside), grants.end());
}

Result<bool> NodeScope::ReceivesUser(const v1::UserRow& user, const MetaView& meta) const {
  if (everything_ || MayUseSomeOf(user.grants())) return true;
  for (const std::string& group : user.groups()) {
    TRY(const auto row, ReadRow<v1::GrantRow>(meta, keys::GrantsOf(std::string(kGroup) + group)));
    if (row.has_value() && MayUseSomeOf(row->grants())) return true;
  }
  return false;
}

Result<std::optional<v1::Change>> NodeScope::Filter(v1::Change change, const MetaView& meta) const {
  if (everything_) return change;
  const std::string_view repository = RepositoryOf(change);
  if (!repository.empty()) {
    if (!Covers(repository)) return std::nullopt;
    return change;
  }
  if (change.has_user_set()) {
    TRY(const bool received, ReceivesUser(change.user_set(), meta));
    if (received) {
      RemoveGrantsOutside(*change.mutable_user_set()->mutable_grants());
    } else {
      const std::string name = change.user_set().name();
      change.mutable_user_deleted()->set_name(name);
    }
  }
  if (change.has_revoked()) {  // send only the serial number
    change.mutable_revoked()->clear_role();
    change.mutable_revoked()->clear_name();
    change.mutable_revoked()->clear_revoked_by();
  }
  if (change.has_grants_set()) RemoveGrantsOutside(*change.mutable_grants_set()->mutable_grants());
  return change;
}

}  // namespace outport::store
