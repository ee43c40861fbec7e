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

// The users of the file at `path`, none for an empty path; what is wrong with it begins with its
// name. Blocks.
Result<std::vector<HtpasswdUser>> ReadHtpasswdFile(const std::filesystem::path& path);

// The users of an htpasswd file as rows beside the fleet's own, so that they reach nodes and audit
// log as those do: added with one group when their line comes, given the line's password, removed
// when the line goes. What else an administrator sets of them stays. Where the fleet has a user of
// that name itself, the line does not count. A file that cannot be read changes nothing.
class HtpasswdUsers {
 public:
  struct Parts {
    Users& users;
    BlockingPool& pool;
    Metrics& metrics;
    Log log;
    std::filesystem::path file;  // empty: there is none, and its users go
    std::string group;           // of new users
  };
  explicit HtpasswdUsers(Parts parts);

  // Brings the rows to what the file says, if it is another than at the last time that went well.
  // For one thread at a time; blocks.
  Result<void> Follow();
  // Does so again and again until it is cancelled; a problem is logged once.
  net::awaitable<void> FollowUntilCancelled();

 private:
  struct Rows {
    std::map<std::string, v1::UserRow> followed;
    std::set<std::string> own;  // names of users that the fleet has itself
  };
  Result<Rows> ReadRows() const;
  Result<void> Bring(const Rows& rows, const HtpasswdUser& user);

  const Parts parts_;
  std::optional<std::vector<HtpasswdUser>> followed_;  // what the file said
  RepeatedFailure failure_;
  prometheus::Gauge& users_;
};

}  // namespace outport::store
