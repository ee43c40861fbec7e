#pragma once

#include <boost/asio/awaitable.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/repeated_failure.h"
#include "registry/security/password/htpasswd.h"
#include "store/access/users.h"

namespace outport::store {

// Reads the users of the file at `path`. An empty path means no users. The error text begins with
// the path. Blocks.
Result<std::vector<HtpasswdUser>> ReadHtpasswdFile(const std::filesystem::path& path);

// Follows an htpasswd file. Each user of the file gets a row like the fleet's own users, so that
// nodes receive the user and the audit log records the changes. A new line adds a user with one
// group. A changed line changes the user's password. A removed line removes the user. What an
// administrator sets besides the password remains. A line is ignored if the fleet has a user of its
// own with that name. If the file cannot be read, nothing changes.
class HtpasswdUsers {
 public:
  struct Parts {
    Users& users;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::filesystem::path file;  // empty: no file; Follow() removes the users of an earlier file
    std::string group;           // the group of new users
  };
  explicit HtpasswdUsers(Parts parts);

  // Reads the file. If the file has changed since the last successful call, updates the rows. For
  // one thread at a time; blocks.
  Result<void> Follow();
  // Calls Follow() every second until the coroutine is cancelled. Logs a repeated failure once.
  net::awaitable<void> FollowUntilCancelled();

 private:
  struct Rows {
    std::map<std::string, v1::UserRow> followed;
    std::set<std::string> own;  // names of the fleet's own users
  };
  Result<Rows> ReadRows() const;
  Result<void> Apply(const Rows& rows, const HtpasswdUser& user);

  const Parts parts_;
  std::optional<std::vector<HtpasswdUser>> followed_;  // the file at the last successful call
  RepeatedFailure failure_;
  prometheus::Gauge& users_;
};

}  // namespace outport::store
