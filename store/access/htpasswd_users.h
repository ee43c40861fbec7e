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

// Reads the users of the file at `path`; an empty path means no users. An error begins with the
// path. Blocks.
Result<std::vector<HtpasswdUser>> ReadHtpasswdFile(const std::filesystem::path& path);

// Follows an htpasswd file: each of its users gets a row beside the fleet's own users, and so
// reaches the nodes and the audit log. A new line adds the user with one group; a changed line
// changes the password; a removed line removes the user. Other settings of an administrator remain.
// A line with the name of a fleet's own user is ignored. If the file cannot be read, nothing
// changes.
class HtpasswdUsers {
 public:
  struct Parts {
    Users& users;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::filesystem::path file;  // empty: no file; users of an earlier file are removed
    std::string group;           // of new users
  };
  explicit HtpasswdUsers(Parts parts);

  // Reads the file, and updates the rows if it has changed since the last successful call. For one
  // thread at a time; blocks.
  Result<void> Follow();
  // Calls Follow() every second until it is cancelled. Logs a failure once.
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
