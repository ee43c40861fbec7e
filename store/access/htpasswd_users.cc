#include "store/access/htpasswd_users.h"

#include <utility>

#include "registry/base/file.h"
#include "registry/base/repeat.h"
#include "registry/security/grants/user.h"

namespace outport::store {
namespace {

constexpr std::chrono::seconds kPeriod{1};
constexpr uint64_t kMaxFileBytes = 16 << 20;
constexpr size_t kPage = 1000;

}  // namespace

Result<std::vector<HtpasswdUser>> ReadHtpasswdFile(const std::filesystem::path& path) {
  if (path.empty()) return std::vector<HtpasswdUser>();
  TRY(const std::string text, ReadWholeFile(path, kMaxFileBytes));
  auto users = ParseHtpasswd(text);
  if (!users.has_value()) return Error(std::move(users).error()).Within(path.native());
  return users;
}

HtpasswdUsers::HtpasswdUsers(Parts parts)
    : parts_(std::move(parts)),
      failure_({.log = parts_.log.With({{"path", parts_.file.native()}}),
                .failed = "htpasswd reload failed: previous users kept",
                .failures = &parts_.metrics.Counter("outport_htpasswd_reload_failures_total",
                                                    "Failed reloads of the htpasswd file."),
                .failing = &parts_.metrics.Gauge(
                    "outport_htpasswd_reload_failed",
                    "1 while users of an earlier state of the htpasswd file are in force.")}),
      users_(parts_.metrics.Gauge("outport_htpasswd_users", "Users in the htpasswd file.")) {}

Result<HtpasswdUsers::Rows> HtpasswdUsers::ReadRows() const {
  Rows rows;
  std::string after;
  for (;;) {
    TRY(RowPage<v1::UserRow> page, parts_.users.ListWithAbsent(after, kPage));
    for (v1::UserRow& row : page.rows) {
      const std::string name = row.name();
      if (row.absent_ms() != 0) {
        rows.absent.insert(name);
      } else if (row.source().empty()) {
        rows.own.insert(name);
      } else {
        rows.followed.emplace(name, std::move(row));
      }
    }
    if (!page.more()) return rows;
    after = std::move(page.next);
  }
}

bool HtpasswdUsers::HasSettings(const v1::UserRow& row) const {
  const bool groups_changed = row.groups().size() != 1 || row.groups(0) != parts_.group;
  return groups_changed || row.disabled() || row.expires_ms() != 0 || !row.grants().empty() ||
         !row.only_from().empty();
}

Result<void> HtpasswdUsers::RemoveMissing(const Rows& rows,
                                          const std::vector<HtpasswdUser>& users) {
  std::set<std::string_view> wanted;
  for (const HtpasswdUser& user : users) wanted.insert(user.name);
  size_t absent = rows.absent.size();
  for (const auto& [name, row] : rows.followed) {
    if (wanted.contains(name)) continue;
    if (absent >= parts_.max_absent && !HasSettings(row)) {
      TRY_VOID(parts_.users.Remove(name, Actor::Store()));
      continue;
    }
    const auto set_absent = parts_.users.SetAbsent(name);
    // Another process of the store may have been faster.
    const bool gone = set_absent.has_value() || set_absent.error().code == ErrorCode::kNotFound;
    if (!gone) return set_absent.error();
    ++absent;
  }
  return {};
}

Result<void> HtpasswdUsers::Add(const Rows& rows, const HtpasswdUser& user) {
  const std::string source = parts_.file.native();
  if (rows.absent.contains(user.name)) {
    TRY_VOID(parts_.users.Return(user.name, user.password_hash, source));
    return {};
  }
  v1::UserRow row;
  row.set_name(user.name);
  row.set_password_hash(user.password_hash);
  row.set_source(source);
  row.add_groups(parts_.group);
  TRY_VOID(parts_.users.Add(row, Actor::Store()));
  return {};
}

Result<void> HtpasswdUsers::Apply(const Rows& rows, const HtpasswdUser& user) {
  if (rows.own.contains(user.name)) {
    parts_.log.Warning("htpasswd line ignored: the fleet has a user of this name",
                       {{"path", parts_.file.native()}, {"user", user.name}});
    return {};
  }
  if (user.name == kAnonymousUser) {
    parts_.log.Warning("htpasswd line ignored: the name is reserved",
                       {{"path", parts_.file.native()}, {"user", user.name}});
    return {};
  }
  const std::string source = parts_.file.native();
  const auto found = rows.followed.find(user.name);
  if (found == rows.followed.end()) return Add(rows, user);
  const v1::UserRow& row = found->second;
  if (row.password_hash() == user.password_hash && row.source() == source) return {};
  auto edit = [&](v1::UserRow& changed) -> Result<void> {
    changed.set_password_hash(user.password_hash);
    changed.set_source(source);
    return {};
  };
  TRY_VOID(parts_.users.Update(user.name, edit, "user.passwd", Actor::Store()));
  return {};
}

Result<void> HtpasswdUsers::Follow() {
  TRY(std::vector<HtpasswdUser> users, ReadHtpasswdFile(parts_.file));
  if (followed_ == users) return {};
  TRY(const Rows rows, ReadRows());
  if (users.empty() && !parts_.file.empty() && !rows.followed.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 parts_.file.native() + " has no user, and the store follows " +
                     std::to_string(rows.followed.size()) +
                     " of it; write the file again, or remove access.htpasswd_file from store.yml "
                     "to take all of them out"};
  }
  // Take access away first, so that no other failure delays it.
  TRY_VOID(RemoveMissing(rows, users));
  for (const HtpasswdUser& user : users) TRY_VOID(Apply(rows, user));
  users_.Set(static_cast<double>(users.size()));
  followed_ = std::move(users);
  return {};
}

Result<void> HtpasswdUsers::FollowAtStart() {
  const Result<void> follows = Follow();
  if (follows.has_value()) return {};
  TRY(const Rows rows, ReadRows());
  if (rows.followed.empty()) return follows.error();
  failure_.Record(follows);
  users_.Set(static_cast<double>(rows.followed.size()));
  return {};
}

std::optional<std::string> HtpasswdUsers::Warning() const {
  const std::optional<std::string> reason = failure_.Reason();
  if (!reason.has_value()) return std::nullopt;
  return "the htpasswd file is not in use, and its earlier users stay in force: " + *reason;
}

net::awaitable<void> HtpasswdUsers::FollowUntilCancelled() {
  auto follow = [this] { failure_.Record(Follow()); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(follow));
}

}  // namespace outport::store
