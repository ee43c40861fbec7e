#include "store/access/users.h"

#include <algorithm>
#include <iterator>

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/security/grants/user.h"
#include "registry/security/password/password.h"
#include "store/access/narrowing.h"
#include "store/audit/row_json.h"

namespace outport::store {
namespace {

constexpr int kMaxGrants = 100;
constexpr int kMaxGroups = 100;
constexpr int kMaxGlobs = 20;
constexpr size_t kMaxGlobBytes = 64;

Error UnknownUser(const std::string& name) {
  return Error{ErrorCode::kNotFound, "there is no user '" + name.substr(0, 128) +
                                         "'; 'outportctl user list' shows the users"};
}

Error Exists(const std::string& name) {
  return Error{ErrorCode::kAlreadyExists,
               "user '" + name +
                   "' exists already; 'outportctl user passwd' and 'outportctl grant' change it, "
                   "and 'outportctl user remove' removes it"};
}

v1::Change SetOf(const v1::UserRow& row) {
  v1::Change change;
  *change.mutable_user_set() = row;
  return change;
}

v1::Change DeletionOf(const std::string& name) {
  v1::Change change;
  change.mutable_user_deleted()->set_name(name);
  return change;
}

Error BadUser(const v1::UserRow& row, const std::string& why) {
  return Error{ErrorCode::kInvalidArgument, "user '" + row.name() + "' " + why};
}

Result<void> CheckGlob(const v1::UserRow& row, const std::string& glob) {
  const bool foreign = glob.starts_with(kForeignPrefix);
  const std::string_view name = std::string_view(glob).substr(foreign ? kForeignPrefix.size() : 0);
  const auto fits = [foreign](char c) {
    if (foreign) return c > 0x20 && c < 0x7f;
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || std::string_view("._-*").contains(c);
  };
  if (!name.empty() && name.size() <= kMaxGlobBytes && std::ranges::all_of(name, fits)) return {};
  return BadUser(
      row, "cannot be bound to '" + glob.substr(0, 128) +
               "': write a certificate's name of at most 64 characters (a-z, 0-9, '.', '_', '-', "
               "and '*' for any text); put 'foreign:' before the name if an authority of "
               "registry.client_ca issued the certificate");
}

// Checks the fields of a user's row.
Result<void> Check(const v1::UserRow& row) {
  TRY_VOID(ParseSubjectName(row.name()));
  if (row.name() == kAnonymousUser) {
    return BadUser(row,
                   "is reserved for callers without a password ('outportctl grant add anonymous' "
                   "gives them grants); choose another name");
  }
  TRY_VOID(CheckPasswordHash(row.password_hash()));
  if (row.grants().size() > kMaxGrants) {
    return BadUser(row, "may have at most 100 grants; use wider patterns or a group");
  }
  for (const v1::Grant& record : row.grants()) {
    TRY(const Grant grant, ParseGrantRecord(record));
    TRY_VOID(CheckGrant(grant, SubjectKind::kUser));
  }
  if (row.groups().size() > kMaxGroups) {
    return BadUser(row, "may be in at most 100 groups; leave out some");
  }
  for (const std::string& group : row.groups()) TRY_VOID(ParseSubjectName(group));
  if (row.only_from().size() > kMaxGlobs) {
    return BadUser(row, "may be bound to at most 20 certificate names; use '*' in a name");
  }
  for (const std::string& glob : row.only_from()) TRY_VOID(CheckGlob(row, glob));
  return {};
}

}  // namespace

Result<void> RequireNotFromFile(const v1::UserRow& row) {
  if (row.source().empty()) return {};
  return Error{ErrorCode::kFailedPrecondition,
               "user '" + row.name() + "' is defined in " + row.source() +
                   ": change the user in that file ('outportctl user disable' works, too)"};
}

Users::Users(MetaStore& meta, AccessFollower& follower, const Clock& clock, Log log)
    : meta_(meta), follower_(follower), clock_(clock), log_(std::move(log)) {}

Result<uint64_t> Users::Committed(const std::string& name, const LogPosition& position,
                                  const std::string& action, const Actor& by) {
  TRY_VOID(follower_.Follow(keys::User(name)));
  log_.Info("user changed",
            {{"action", action}, {"user", name}, {"by", by.name}, {"sequence", position.sequence}});
  return position.sequence;
}

Result<uint64_t> Users::Add(const v1::UserRow& row, const Actor& by) {
  TRY_VOID(Check(row));
  if (row.grants().empty() && row.groups().empty()) {
    return BadUser(row,
                   "needs 1 to 100 grants (--allow pull,push[:PATTERN]), or a group (--group)");
  }
  const std::string& name = row.name();
  v1::UserRow inserted = row;
  inserted.set_created_ms(ToUnixMillis(clock_.Wall()));
  const Auditor auditor(by, clock_);
  auto insert = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, LockRow<v1::UserRow>(transaction, keys::User(name)));
    if (present.has_value()) return Exists(name);
    TRY(const auto absent, transaction.GetForUpdate(keys::AbsentUser(name)));
    // The new user has nothing in common with the absent one.
    if (absent.has_value()) TRY_VOID(transaction.Delete(keys::AbsentUser(name)));
    TRY_VOID(WriteRow(transaction, keys::User(name), inserted));
    auditor.Add(transaction, "user.add", "user/" + name, nullptr, RowJson(inserted));
    AppendChange(transaction, SetOf(inserted));
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, insert));
  return Committed(name, position, "user.add", by);
}

Result<std::optional<v1::UserRow>> Users::Present(const std::string& name) const {
  const std::string key = keys::User(name);
  TRY(std::optional<std::string> value, meta_.Get(key));
  value = follower_.pending().Apply(key, std::move(value));
  if (value.has_value()) {
    TRY(v1::UserRow row, ParseRow<v1::UserRow>(key, *value));
    return std::optional<v1::UserRow>(std::move(row));
  }
  TRY(const bool absent, HasRow(meta_, keys::AbsentUser(name)));
  if (!absent) return UnknownUser(name);
  return std::optional<v1::UserRow>();
}

PendingAccess::Change Users::PendingChange(const std::string& name, const std::string& action,
                                           PendingAccess::Edit edit) {
  const std::string key = keys::User(name);
  return {.action = action, .rows = {{key, std::move(edit)}}, .follow = [this, key] {
            static_cast<void>(follower_.Follow(key));
          }};
}

Result<uint64_t> Users::Update(const std::string& name, const Edit& edit, const std::string& action,
                               const Actor& by) {
  if (!ParseSubjectName(name).has_value()) return UnknownUser(name);
  auto write = [this, name, edit, action, by] { return WriteUpdate(name, edit, action, by); };
  // The store repeats its own changes, which follow an htpasswd file.
  if (by.kind == Actor::Store().kind) return write();
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    TRY(const auto before, Present(name));
    if (!before.has_value()) return std::nullopt;  // an absent user has no access
    v1::UserRow after = *before;
    TRY_VOID(edit(after));
    if (!IsNarrower(*before, after)) return std::nullopt;
    auto edit_value = [edit](PendingAccess::Value value) -> PendingAccess::Value {
      v1::UserRow row;
      if (!value.has_value() || !row.ParseFromString(*value)) return std::nullopt;
      if (!edit(row).has_value()) return value;
      return row.SerializeAsString();
    };
    return PendingChange(name, action, std::move(edit_value));
  };
  return follower_.pending().Commit(std::move(write), narrow);
}

Result<uint64_t> Users::WriteUpdate(const std::string& name, const Edit& edit,
                                    const std::string& action, const Actor& by) {
  const Auditor auditor(by, clock_);
  auto update = [&](MetaTransaction& transaction) -> Result<void> {
    std::string key = keys::User(name);
    TRY(auto row, LockRow<v1::UserRow>(transaction, key));
    const bool absent = !row.has_value();
    if (absent) {
      key = keys::AbsentUser(name);
      TRY(row, LockRow<v1::UserRow>(transaction, key));
    }
    if (!row.has_value()) return UnknownUser(name);
    const v1::UserRow old = *row;
    TRY_VOID(edit(*row));
    TRY_VOID(Check(*row));
    if (IsNarrower(old, *row)) transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    const boost::json::value before = RowJson(old);
    TRY_VOID(WriteRow(transaction, key, *row));
    auditor.Add(transaction, action, "user/" + name, before, RowJson(*row));
    if (!absent) AppendChange(transaction, SetOf(*row));
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, update));
  return Committed(name, position, action, by);
}

Result<uint64_t> Users::Remove(const std::string& name, const Actor& by) {
  if (!ParseSubjectName(name).has_value()) return UnknownUser(name);
  auto write = [this, name, by] { return WriteRemoval(name, by); };
  if (by.kind == Actor::Store().kind) return write();  // as in Update()
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    TRY(const auto before, Present(name));
    if (!before.has_value()) return std::nullopt;  // as in Update()
    TRY_VOID(RequireNotFromFile(*before));
    return PendingChange(name, "user.remove", [](const auto&) { return std::nullopt; });
  };
  return follower_.pending().Commit(std::move(write), narrow);
}

Result<uint64_t> Users::WriteRemoval(const std::string& name, const Actor& by) {
  const Auditor auditor(by, clock_);
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, transaction.GetForUpdate(keys::User(name)));
    TRY(const auto absent, transaction.GetForUpdate(keys::AbsentUser(name)));
    if (!present.has_value() && !absent.has_value()) return UnknownUser(name);
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    const auto before =
        ParseRow<v1::UserRow>(keys::User(name), present.has_value() ? *present : *absent);
    if (present.has_value()) {
      if (before.has_value() && by.kind != Actor::Store().kind) {
        TRY_VOID(RequireNotFromFile(*before));
      }
      TRY_VOID(transaction.Delete(keys::User(name)));
      AppendChange(transaction, DeletionOf(name));
    }
    if (absent.has_value()) TRY_VOID(transaction.Delete(keys::AbsentUser(name)));
    auditor.Add(transaction, "user.remove", "user/" + name,
                before.has_value() ? RowJson(*before) : nullptr, nullptr);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, remove));
  return Committed(name, position, "user.remove", by);
}

Result<uint64_t> Users::SetAbsent(const std::string& name) {
  const Actor by = Actor::Store();
  const Auditor auditor(by, clock_);
  auto set_absent = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto row, LockRow<v1::UserRow>(transaction, keys::User(name)));
    if (!row.has_value()) return UnknownUser(name);
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    v1::UserRow absent = *row;
    absent.set_absent_ms(ToUnixMillis(clock_.Wall()));
    TRY_VOID(transaction.Delete(keys::User(name)));
    TRY_VOID(WriteRow(transaction, keys::AbsentUser(name), absent));
    auditor.Add(transaction, "user.absent", "user/" + name, RowJson(*row), RowJson(absent));
    AppendChange(transaction, DeletionOf(name));
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, set_absent));
  return Committed(name, position, "user.absent", by);
}

Result<uint64_t> Users::Return(const std::string& name, const std::string& password_hash,
                               const std::string& source) {
  const Actor by = Actor::Store();
  const Auditor auditor(by, clock_);
  auto bring_back = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, transaction.GetForUpdate(keys::User(name)));
    if (present.has_value()) return Exists(name);
    TRY(const auto absent, LockRow<v1::UserRow>(transaction, keys::AbsentUser(name)));
    if (!absent.has_value()) return UnknownUser(name);
    v1::UserRow row = *absent;
    row.clear_absent_ms();
    row.set_password_hash(password_hash);
    row.set_source(source);
    TRY_VOID(Check(row));
    TRY_VOID(transaction.Delete(keys::AbsentUser(name)));
    TRY_VOID(WriteRow(transaction, keys::User(name), row));
    auditor.Add(transaction, "user.return", "user/" + name, RowJson(*absent), RowJson(row));
    AppendChange(transaction, SetOf(row));
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, bring_back));
  return Committed(name, position, "user.return", by);
}

Result<RowPage<v1::UserRow>> Users::List(const std::string& after, size_t limit) const {
  return ListRows<v1::UserRow>(meta_, keys::kUsers, after, limit);
}

Result<RowPage<v1::UserRow>> Users::ListWithAbsent(const std::string& after, size_t limit) const {
  TRY(RowPage<v1::UserRow> page, ListRows<v1::UserRow>(meta_, keys::kUsers, after, limit));
  TRY(RowPage<v1::UserRow> absent, ListRows<v1::UserRow>(meta_, keys::kAbsentUsers, after, limit));
  const bool more = page.more() || absent.more();
  std::ranges::move(absent.rows, std::back_inserter(page.rows));
  std::ranges::sort(page.rows, {}, &v1::UserRow::name);
  const bool cut = page.rows.size() > limit;
  if (cut) page.rows.resize(limit);
  page.next = more || cut ? page.rows.back().name() : std::string();
  return page;
}

}  // namespace outport::store
