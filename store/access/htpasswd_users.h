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
// group. A changed line changes the user's password. A removed line makes the user absent: the user
// cannot log in. What an administrator sets besides the password remains, also when a removed line
// comes back. A line is ignored if the fleet has a user of its own with that name.
//
// If the file cannot be read, nothing changes. If the file has no user while the store follows
// users of it, nothing changes either, because such a file is rather an accident than a wish.
class HtpasswdUsers {
 public:
  struct Parts {
    Users& users;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::filesystem::path file;  // empty: no file; the users of an earlier file become absent
    std::string group;           // the group of new users
    size_t max_absent = 10000;   // the rows of further absent users stay only if they have settings
  };
  explicit HtpasswdUsers(Parts parts);

  // Reads the file. If the file has changed since the last successful call, updates the rows. For
  // one thread at a time; blocks.
  Result<void> Follow();
  // Calls Follow() for the first time. If it fails and the store has users of the file, logs the
  // failure and returns no error, because these users stay in force.
  Result<void> FollowAtStart();
  // Calls Follow() every second until the coroutine is cancelled. Logs a repeated failure once.
  net::awaitable<void> FollowUntilCancelled();
  // Says why the users of an earlier state of the file are in force. Safe for all threads.
  std::optional<std::string> Warning() const;

 private:
  struct Rows {
    std::map<std::string, v1::UserRow> followed;
    std::set<std::string> absent;
    std::set<std::string> own;  // names of the fleet's own users
  };
  Result<Rows> ReadRows() const;
  bool HasSettings(const v1::UserRow& row) const;
  Result<void> RemoveMissing(const Rows& rows, const std::vector<HtpasswdUser>& users);
  Result<void> Add(const Rows& rows, const HtpasswdUser& user);
  Result<void> Apply(const Rows& rows, const HtpasswdUser& user);

  const Parts parts_;
  std::optional<std::vector<HtpasswdUser>> followed_;  // the file at the last successful call
  RepeatedFailure failure_;
  prometheus::Gauge& users_;
};

}  // namespace outport::store
