#pragma once

#include <functional>
#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/audit/auditor.h"

namespace outport::store {

// kFailedPrecondition, with what to do, if the user comes from an htpasswd file.
Result<void> RequireNotFromFile(const v1::UserRow& row);

// The rows of users. The access directory is up to date when a change returns. Safe for several
// threads; blocks.
class Users {
 public:
  Users(MetaStore& meta, AccessFollower& follower, const Clock& clock, Log log);

  using Edit = std::function<Result<void>(v1::UserRow& row)>;

  // Returns the change's sequence. kAlreadyExists; kInvalidArgument: an invalid name, grant or
  // hash. `by` is for the audit log.
  Result<uint64_t> Add(const v1::UserRow& row, const Actor& by);
  // Applies `edit` to the row. kNotFound; kInvalidArgument as for Add(); an error of `edit`.
  // `action` is for the audit log: "user.disable".
  Result<uint64_t> Update(const std::string& name, const Edit& edit, const std::string& action,
                          const Actor& by);
  // kNotFound; kFailedPrecondition if the user comes from an htpasswd file and `by` is not the
  // store.
  Result<uint64_t> Remove(const std::string& name, const Actor& by);

  // Names after `after` in byte order, at most `limit` (at least 1).
  Result<RowPage<v1::UserRow>> List(const std::string& after, size_t limit) const;

 private:
  Result<uint64_t> Committed(const std::string& name, const LogPosition& position,
                             const std::string& action, const Actor& by);

  MetaStore& meta_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
