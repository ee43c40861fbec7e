#include "store/access/grants.h"

#include <algorithm>

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "store/access/narrowing.h"
#include "store/audit/row_json.h"

namespace outport::store {
namespace {

constexpr int kMaxGrants = 100;

using Records = google::protobuf::RepeatedPtrField<v1::Grant>;

auto FindGrant(Records& records, const Grant& grant) {
  return std::ranges::find_if(records,
                              [&](const v1::Grant& record) { return ToGrant(record) == grant; });
}

}  // namespace

Grants::Grants(MetaStore& meta, Users& users, AccessFollower& follower, const Clock& clock, Log log)
    : meta_(meta), users_(users), follower_(follower), clock_(clock), log_(std::move(log)) {}

Result<uint64_t> Grants::Change(const Subject& subject, const Edit& edit, const std::string& action,
                                const Actor& by) {
  if (subject.kind == SubjectKind::kUser) {
    auto edit_row = [edit](v1::UserRow& row) { return edit(*row.mutable_grants()); };
    return users_.Update(subject.name, edit_row, action, by);
  }
  const std::string name = ToString(subject);
  auto write = [this, name, edit, action, by] { return Write(name, edit, action, by); };
  return follower_.pending().Commit(std::move(write), [&] { return Narrow(name, edit, action); });
}

Result<std::optional<PendingAccess::Change>> Grants::Narrow(const std::string& subject,
                                                            const Edit& edit,
                                                            const std::string& action) {
  const std::string key = keys::GrantsOf(subject);
  TRY(std::optional<std::string> value, meta_.Get(key));
  value = follower_.pending().Apply(key, std::move(value));
  TRY(const v1::GrantRow before, ParseRow<v1::GrantRow>(key, value.value_or("")));
  v1::GrantRow after = before;
  TRY_VOID(edit(*after.mutable_grants()));
  if (!IsNarrower(before.grants(), after.grants())) return std::nullopt;
  auto edit_value = [edit](PendingAccess::Value stored) -> PendingAccess::Value {
    v1::GrantRow row;
    if (!stored.has_value() || !row.ParseFromString(*stored)) return std::nullopt;
    if (!edit(*row.mutable_grants()).has_value()) return stored;
    if (row.grants().empty()) return std::nullopt;
    return row.SerializeAsString();
  };
  return PendingAccess::Change{.action = action,
                               .rows = {{key, std::move(edit_value)}},
                               .follow = [this, key] { static_cast<void>(follower_.Follow(key)); }};
}

Result<uint64_t> Grants::Write(const std::string& name, const Edit& edit, const std::string& action,
                               const Actor& by) {
  const std::string key = keys::GrantsOf(name);
  const Auditor auditor(by, clock_);
  auto change = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::GrantRow>(transaction, key));
    v1::Change change;
    v1::GrantRow& changed = *change.mutable_grants_set();
    if (row.has_value()) changed = *row;
    const boost::json::value before = RowJson(row);
    changed.set_subject(name);
    TRY_VOID(edit(*changed.mutable_grants()));
    if (row.has_value() && IsNarrower(row->grants(), changed.grants())) {
      transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    }
    if (changed.grants().empty()) {
      TRY_VOID(transaction.Delete(key));
    } else {
      TRY_VOID(WriteRow(transaction, key, changed));
    }
    auditor.Add(transaction, action, "grant/" + name, before,
                changed.grants().empty() ? boost::json::value() : RowJson(changed));
    AppendChange(transaction, change);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, change));
  TRY_VOID(follower_.Follow(key));
  log_.Info(
      "grants changed",
      {{"action", action}, {"subject", name}, {"by", by.name}, {"sequence", position.sequence}});
  return position.sequence;
}

Result<uint64_t> Grants::Add(const Subject& subject, const Grant& grant, const Actor& by) {
  TRY_VOID(CheckGrant(grant, subject.kind));
  auto add = [subject, grant](Records& records) -> Result<void> {
    if (FindGrant(records, grant) != records.end()) {
      return Error{ErrorCode::kAlreadyExists,
                   ToString(subject) + " already has the grant " + ToString(grant)};
    }
    if (records.size() >= kMaxGrants) {
      return Error{ErrorCode::kInvalidArgument,
                   ToString(subject) +
                       " already has 100 grants, the maximum: use wider patterns or a group"};
    }
    *records.Add() = ToGrantRecord(grant);
    return {};
  };
  return Change(subject, add, "grant.add", by);
}

Result<uint64_t> Grants::Remove(const Subject& subject, const Grant& grant, const Actor& by) {
  auto remove = [subject, grant](Records& records) -> Result<void> {
    const auto found = FindGrant(records, grant);
    if (found == records.end()) {
      return Error{ErrorCode::kNotFound, ToString(subject) + " has no grant " + ToString(grant) +
                                             "; it has: " + ToString(ToGrants(records))};
    }
    records.erase(found);
    return {};
  };
  return Change(subject, remove, "grant.remove", by);
}

Result<RowPage<v1::GrantRow>> Grants::List(const std::string& after, size_t limit) const {
  return ListRows<v1::GrantRow>(meta_, keys::kGrants, after, limit);
}

}  // namespace outport::store
