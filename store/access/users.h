#pragma once

#include <functional>
#include <optional>
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

// Returns kFailedPrecondition, and says what to do, if the user comes from an htpasswd file.
Result<void> RequireNotFromFile(const v1::UserRow& row);

// Changes and lists the rows of users. When a change returns, the access directory is up to date.
// Safe for several threads; blocks.
class Users {
 public:
  Users(MetaStore& meta, AccessFollower& follower, const Clock& clock, Log log);

  using Edit = std::function<Result<void>(v1::UserRow& row)>;

  // Adds a user and returns the sequence of the change. Returns kAlreadyExists if the user exists,
  // and kInvalidArgument for an invalid name, grant or hash. The audit log names `by`.
  Result<uint64_t> Add(const v1::UserRow& row, const Actor& by);
  // Applies `edit` to the user's row. Returns kNotFound if there is no such user, kInvalidArgument
  // as Add() does, or the error of `edit`. `action` is the action in the audit log, for example
  // "user.disable". `edit` owns what it uses. If the store cannot write, and the change only takes
  // access away, the change is pending, and the result is 0: see PendingAccess.
  Result<uint64_t> Update(const std::string& name, const Edit& edit, const std::string& action,
                          const Actor& by);
  // Removes a user, or an absent user. Returns kNotFound if there is no such user, and
  // kFailedPrecondition if the user is in an htpasswd file and `by` is not the store. The removal
  // by an administrator may be pending, as with Update(). Changes of absent users are never
  // pending.
  Result<uint64_t> Remove(const std::string& name, const Actor& by);

  // Call this when a user is no longer in the htpasswd file. To the access directory and to nodes,
  // the user is removed. The store keeps the row of an absent user, so that the user comes back
  // with what administrators set. Update() and Remove() also change the rows of absent users.
  Result<uint64_t> SetAbsent(const std::string& name);
  // Call this when an absent user is in the file at `source` again.
  Result<uint64_t> Return(const std::string& name, const std::string& password_hash,
                          const std::string& source);

  // Returns at most `limit` users (at least 1), after the name `after` in byte order.
  Result<RowPage<v1::UserRow>> List(const std::string& after, size_t limit) const;
  // Also lists absent users: their rows have absent_ms.
  Result<RowPage<v1::UserRow>> ListWithAbsent(const std::string& after, size_t limit) const;

 private:
  Result<uint64_t> WriteUpdate(const std::string& name, const Edit& edit, const std::string& action,
                               const Actor& by);
  Result<uint64_t> WriteRemoval(const std::string& name, const Actor& by);
  // Returns the row of a user as it is after all pending changes, or nullopt if the user is absent.
  Result<std::optional<v1::UserRow>> Present(const std::string& name) const;
  PendingAccess::Change PendingChange(const std::string& name, const std::string& action,
                                      PendingAccess::Edit edit);
  Result<uint64_t> Committed(const std::string& name, const LogPosition& position,
                             const std::string& action, const Actor& by);

  MetaStore& meta_;
  AccessFollower& follower_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
