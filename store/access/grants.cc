#include "store/access/grants.h"

#include <algorithm>

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
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
    auto edit_row = [&](v1::UserRow& row) { return edit(*row.mutable_grants()); };
    return users_.Update(subject.name, edit_row, action, by);
  }
  const std::string name = ToString(subject);
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
  auto add = [&](Records& records) -> Result<void> {
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
  auto remove = [&](Records& records) -> Result<void> {
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
