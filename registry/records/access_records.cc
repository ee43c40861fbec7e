#include "registry/records/access_records.h"

#include <algorithm>

#include "registry/base/clock.h"

namespace outport {

v1::Grant ToGrantRecord(const Grant& grant) {
  v1::Grant record;
  for (const Action action : grant.actions) record.add_actions(std::string(ToString(action)));
  record.set_pattern(grant.pattern);
  return record;
}

Result<Grant> ParseGrantRecord(const v1::Grant& record) {
  std::string text;
  for (const std::string& action : record.actions()) text += (text.empty() ? "" : ",") + action;
  return ParseGrant(text + ":" + record.pattern());
}

Grant ToGrant(const v1::Grant& record) {
  constexpr std::array kActions = {Action::kPull, Action::kPush, Action::kDelete, Action::kAdmin};
  Grant grant{.actions = {}, .pattern = record.pattern()};
  for (const std::string& name : record.actions()) {
    const auto* found = std::ranges::find(kActions, name, [](Action a) { return ToString(a); });
    if (found != kActions.end()) grant.actions.insert(*found);
  }
  return grant;
}

std::vector<Grant> ToGrants(const google::protobuf::RepeatedPtrField<v1::Grant>& records) {
  std::vector<Grant> grants;
  for (const v1::Grant& record : records) grants.push_back(ToGrant(record));
  return grants;
}

User ToUser(const v1::UserRow& row) {
  User user{.name = row.name(),
            .password_hash = row.password_hash(),
            .grants = ToGrants(row.grants()),
            .groups = {row.groups().begin(), row.groups().end()},
            .disabled = row.disabled(),
            .expires = std::nullopt,
            .only_from = {row.only_from().begin(), row.only_from().end()}};
  if (row.expires_ms() != 0) user.expires = FromUnixMillis(row.expires_ms());
  return user;
}

Result<v1::Change> ToAccessChange(std::string_view key, const std::optional<std::string>& value) {
  v1::Change change;
  bool readable = true;
  if (key.starts_with(keys::kRevocations)) {
    // If the revocation's row was deleted, its change has no fields to fill.
    if (value.has_value()) readable = change.mutable_revoked()->ParseFromString(*value);
  } else if (key.starts_with(keys::kGrants)) {
    change.mutable_grants_set()->set_subject(std::string(keys::After(key, keys::kGrants)));
    if (value.has_value()) readable = change.mutable_grants_set()->ParseFromString(*value);
  } else if (value.has_value()) {
    readable = change.mutable_user_set()->ParseFromString(*value);
  } else {
    change.mutable_user_deleted()->set_name(std::string(keys::After(key, keys::kUsers)));
  }
  if (readable) return change;
  return Error{ErrorCode::kCorrupt, "the row '" + std::string(key) + "' is corrupt"};
}

Result<AccessDirectory::Contents> ReadAccess(const MetaView& meta) {
  constexpr size_t kPage = 1000;
  AccessDirectory::Contents contents;
  for (const std::string_view prefix : kAccessRows) {
    ScanRange range{.prefix = std::string(prefix), .limit = kPage};
    for (bool more = true; more;) {
      TRY(const std::vector<KeyValue> rows, meta.Scan(range));
      for (const KeyValue& row : rows) {
        TRY(const v1::Change change, ToAccessChange(row.key, row.value));
        ApplyAccessChange(change, contents);
        range.after = row.key;
      }
      more = rows.size() == range.limit;
    }
  }
  return contents;
}

bool IsAccessChange(const v1::Change& change) {
  return change.has_user_set() || change.has_user_deleted() || change.has_grants_set() ||
         change.has_revoked();
}

void ApplyAccessChange(const v1::Change& change, AccessDirectory& directory) {
  if (change.has_user_set()) directory.Set(ToUser(change.user_set()));
  if (change.has_user_deleted()) directory.Remove(change.user_deleted().name());
  if (change.has_grants_set()) {
    const auto subject = ParseSubject(change.grants_set().subject());
    if (!subject.has_value()) return;
    directory.SetGrants(*subject, ToGrants(change.grants_set().grants()));
  }
  if (change.has_revoked()) {
    directory.Revoke({change.revoked().issuer_key_id(), change.revoked().serial()});
  }
}

void ApplyAccessChange(const v1::Change& change, AccessDirectory::Contents& contents) {
  if (change.has_user_set()) contents.users.push_back(ToUser(change.user_set()));
  if (change.has_grants_set()) {
    const auto subject = ParseSubject(change.grants_set().subject());
    if (!subject.has_value()) return;
    contents.grants[*subject] = ToGrants(change.grants_set().grants());
  }
  if (change.has_revoked()) {
    contents.revoked.insert({change.revoked().issuer_key_id(), change.revoked().serial()});
  }
}

}  // namespace outport
