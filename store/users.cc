#include "store/users.h"

#include "registry/security/password.h"
#include "registry/storage/keys.h"
#include "store/rows.h"

namespace outport::store {
namespace {

constexpr size_t kMaxGrants = 100;
constexpr size_t kLoadPage = 1000;

Result<Grant> ToGrant(const v1::Grant& grant) {
  std::string text;
  for (const std::string& action : grant.actions()) text += (text.empty() ? "" : ",") + action;
  return ParseGrant(text + ":" + grant.pattern());
}

Error UnknownUser(const std::string& name) {
  return Error{ErrorCode::kNotFound, "there is no user '" + name.substr(0, 128) +
                                         "'; 'outportctl user list' shows those there are"};
}

}  // namespace

Result<User> ToUser(const v1::UserRow& row) {
  User user{row.name(), row.password_hash(), {}};
  for (const v1::Grant& grant : row.grants()) {
    TRY(Grant parsed, ToGrant(grant));
    user.grants.push_back(std::move(parsed));
  }
  return user;
}

Users::Users(MetaStore& meta, UserDirectory& directory, const Clock& clock, Log log)
    : meta_(meta), directory_(directory), clock_(clock), log_(std::move(log)) {}

Result<void> Users::Load() {
  std::vector<User> users;
  std::string after;
  MutexLock lock(following_);
  for (bool more = true; more;) {
    TRY(const Page page, List(after, kLoadPage));
    for (const v1::UserRow& row : page.rows) {
      TRY(User user, ToUser(row));
      users.push_back(std::move(user));
      after = row.name();
    }
    more = page.more;
  }
  directory_.ReplaceAll(std::move(users));
  return {};
}

Result<uint64_t> Users::Add(const v1::UserRow& row, const Actor& by) {
  TRY(const std::string name, ParseSubjectName(row.name()));
  TRY_VOID(CheckPasswordHash(row.password_hash()));
  if (row.grants().empty() || row.grants().size() > static_cast<int>(kMaxGrants)) {
    return Error{ErrorCode::kInvalidArgument,
                 "user '" + name + "' needs 1 to 100 grants: --allow pull,push[:PATTERN]"};
  }
  TRY(const User user, ToUser(row));
  for (const Grant& grant : user.grants) TRY_VOID(CheckUserGrant(grant));
  v1::UserRow entered = row;
  entered.set_created_ms(ToUnixMillis(clock_.Wall()));
  v1::Change change;
  *change.mutable_user_set() = entered;
  const Auditor auditor(by, clock_);
  auto enter = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, LockRow<v1::UserRow>(transaction, keys::User(name)));
    if (present.has_value()) {
      return Error{ErrorCode::kAlreadyExists,
                   "there is a user '" + name +
                       "' already; to give it another password or other "
                       "grants, remove it first: outportctl user remove " +
                       name};
    }
    TRY_VOID(WriteRow(transaction, keys::User(name), entered));
    auditor.Add(transaction, "user.add", "user/" + name, nullptr, RowJson(entered));
    AppendChange(transaction, change);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, enter));
  TRY_VOID(Follow(name));
  log_.Info("user added", {{"user", name}, {"by", by.name}, {"sequence", position.sequence}});
  return position.sequence;
}

Result<uint64_t> Users::Remove(const std::string& name, const Actor& by) {
  if (!ParseSubjectName(name).has_value()) return UnknownUser(name);
  v1::Change change;
  change.mutable_user_deleted()->set_name(name);
  const Auditor auditor(by, clock_);
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto present, transaction.GetForUpdate(keys::User(name)));
    if (!present.has_value()) return UnknownUser(name);
    TRY_VOID(transaction.Delete(keys::User(name)));
    const auto before = ParseRow<v1::UserRow>(keys::User(name), *present);
    auditor.Add(transaction, "user.remove", "user/" + name,
                before.has_value() ? RowJson(*before) : nullptr, nullptr);
    AppendChange(transaction, change);
    return {};
  };
  TRY(const LogPosition position, Transact(meta_, remove));
  TRY_VOID(Follow(name));
  log_.Info("user removed", {{"user", name}, {"by", by.name}, {"sequence", position.sequence}});
  return position.sequence;
}

Result<Users::Page> Users::List(const std::string& after, size_t limit) const {
  const ScanRange range{std::string(keys::kUsers), after.empty() ? "" : keys::User(after),
                        limit + 1};
  TRY(const std::vector<KeyValue> found, meta_.Scan(range));
  Page page;
  for (const KeyValue& pair : found) {
    page.more = page.rows.size() == limit;
    if (page.more) break;
    TRY(v1::UserRow row, ParseRow<v1::UserRow>(pair.key, pair.value));
    page.rows.push_back(std::move(row));
  }
  return page;
}

// Tells the directory what the row says now, not what this caller wrote: of two changes of one user
// the one that comes here last sees what was committed last. If that cannot be known, nobody gets
// in by that name.
Result<void> Users::Follow(const std::string& name) {
  MutexLock lock(following_);
  const auto row = ReadRow<v1::UserRow>(meta_, keys::User(name));
  if (row.has_value() && row->has_value()) {
    auto user = ToUser(**row);
    if (user.has_value()) {
      directory_.Set(*std::move(user));
      return {};
    }
  }
  directory_.Remove(name);
  if (!row.has_value()) return row.error();
  return {};
}

}  // namespace outport::store
