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
                                                    "Failed reloads of the htpasswd file.")}),
      users_(parts_.metrics.Gauge("outport_htpasswd_users", "Users in the htpasswd file.")) {}

Result<HtpasswdUsers::Rows> HtpasswdUsers::ReadRows() const {
  Rows rows;
  std::string after;
  for (;;) {
    TRY(RowPage<v1::UserRow> page, parts_.users.List(after, kPage));
    for (v1::UserRow& row : page.rows) {
      const std::string name = row.name();
      if (row.source().empty()) {
        rows.own.insert(name);
      } else {
        rows.followed.emplace(name, std::move(row));
      }
    }
    if (!page.more()) return rows;
    after = std::move(page.next);
  }
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
  if (found == rows.followed.end()) {
    v1::UserRow row;
    row.set_name(user.name);
    row.set_password_hash(user.password_hash);
    row.set_source(source);
    row.add_groups(parts_.group);
    TRY_VOID(parts_.users.Add(row, Actor::Store()));
    return {};
  }
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
  std::set<std::string> wanted;
  for (const HtpasswdUser& user : users) {
    TRY_VOID(Apply(rows, user));
    wanted.insert(user.name);
  }
  for (const auto& [name, row] : rows.followed) {
    if (!wanted.contains(name)) TRY_VOID(parts_.users.Remove(name, Actor::Store()));
  }
  users_.Set(static_cast<double>(wanted.size()));
  followed_ = std::move(users);
  return {};
}

net::awaitable<void> HtpasswdUsers::FollowUntilCancelled() {
  auto follow = [this] { failure_.Record(Follow()); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(follow));
}

}  // namespace outport::store
