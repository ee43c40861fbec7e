#include "store/admin/user_verbs.h"

#include <optional>
#include <string>

#include "registry/records/keys.h"
#include "store/admin/paging.h"
#include "store/fleet/node_scope.h"

namespace outport::store {
namespace {

v1::UserRow ToRow(const v1::AddUserRequest& request) {
  v1::UserRow row;
  row.set_name(request.name());
  row.set_password_hash(request.password_hash());
  *row.mutable_grants() = request.grants();
  *row.mutable_groups() = request.groups();
  row.set_expires_ms(request.expires_ms());
  *row.mutable_only_from() = request.only_from();
  row.set_disabled(request.disabled());
  return row;
}

v1::UserInfo Describe(const v1::UserRow& row, bool with_hash) {
  v1::UserInfo info;
  info.set_name(row.name());
  *info.mutable_grants() = row.grants();
  info.set_created_ms(row.created_ms());
  *info.mutable_groups() = row.groups();
  info.set_expires_ms(row.expires_ms());
  *info.mutable_only_from() = row.only_from();
  info.set_disabled(row.disabled());
  info.set_source(row.source());
  info.set_absent_ms(row.absent_ms());
  if (with_hash) info.set_password_hash(row.password_hash());
  return info;
}

void Edit(const v1::UpdateUserRequest& request, v1::UserRow& row) {
  if (request.has_password_hash()) row.set_password_hash(request.password_hash());
  if (request.has_disabled()) row.set_disabled(request.disabled());
  if (request.has_expires_ms()) row.set_expires_ms(request.expires_ms());
  if (request.has_groups()) *row.mutable_groups() = request.groups().names();
  if (request.has_only_from()) *row.mutable_only_from() = request.only_from().names();
}

// Returns the name of the action for the audit log.
std::string ActionOf(const v1::UpdateUserRequest& request) {
  if (request.has_password_hash()) return "user.passwd";
  if (request.has_disabled()) return request.disabled() ? "user.disable" : "user.enable";
  return request.has_groups() ? "user.groups" : "user.change";
}

}  // namespace

Result<v1::AddUserResponse> UserVerbs::Add(const v1::AddUserRequest& request,
                                           const Administrator& by) const {
  v1::AddUserResponse response;
  TRY(const uint64_t sequence, fleet_.users.Add(ToRow(request), by.actor));
  response.set_sequence(sequence);
  return response;
}

Result<v1::ChangedResponse> UserVerbs::Update(const v1::UpdateUserRequest& request,
                                              const Administrator& by) const {
  auto edit = [request](v1::UserRow& row) -> Result<void> {
    if (request.has_password_hash()) TRY_VOID(RequireNotFromFile(row));
    Edit(request, row);
    return {};
  };
  v1::ChangedResponse response;
  TRY(const uint64_t sequence,
      fleet_.users.Update(request.name(), edit, ActionOf(request), by.actor));
  response.set_sequence(sequence);
  response.set_pending(fleet_.follower.pending().Contains(keys::User(request.name())));
  return response;
}

Result<v1::RemoveUserResponse> UserVerbs::Remove(const v1::RemoveUserRequest& request,
                                                 const Administrator& by) const {
  v1::RemoveUserResponse response;
  TRY(const uint64_t sequence, fleet_.users.Remove(request.name(), by.actor));
  response.set_sequence(sequence);
  response.set_pending(fleet_.follower.pending().Contains(keys::User(request.name())));
  return response;
}

Result<v1::ListUsersResponse> UserVerbs::List(const v1::ListUsersRequest& request) const {
  std::optional<NodeScope> scope;
  if (!request.for_node().empty()) {
    TRY(const v1::NodeRow node, fleet_.members.Find(request.for_node()));
    scope.emplace(PermissionsOf(node));
  }
  const v1::PageOf& asked = request.page();
  TRY(const RowPage<v1::UserRow> page,
      request.with_absent() ? fleet_.users.ListWithAbsent(asked.after(), LimitOf(asked))
                            : fleet_.users.List(asked.after(), LimitOf(asked)));
  v1::ListUsersResponse response;
  for (const v1::UserRow& row : page.rows) {
    if (scope.has_value()) {
      if (row.absent_ms() != 0) continue;
      TRY(const bool received, scope->ReceivesUser(row, fleet_.rows.meta));
      if (!received) continue;
    }
    *response.add_users() = Describe(row, request.with_password_hashes());
  }
  response.set_next(page.next);
  return response;
}

}  // namespace outport::store
