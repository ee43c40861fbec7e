#pragma once

#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/security/user.h"
#include "registry/storage/meta_store.h"
#include "store/auditor.h"

namespace outport::store {

// A row as the user it stands for; kCorrupt names what cannot be read.
Result<User> ToUser(const v1::UserRow& row);

// The users' rows, and the directory that answers from memory what they say. Safe for several
// threads; blocks.
class Users {
 public:
  Users(MetaStore& meta, UserDirectory& directory, const Clock& clock, Log log);

  // Fills the directory from the rows. Called once, at start.
  Result<void> Load();

  // kAlreadyExists, kInvalidArgument (a bad name, grant or hash). Returns the change's sequence.
  // `by` is for the audit log: the administrator.
  Result<uint64_t> Add(const v1::UserRow& row, const Actor& by);
  // kNotFound. The directory has forgotten the user when it returns.
  Result<uint64_t> Remove(const std::string& name, const Actor& by);

  struct Page {
    std::vector<v1::UserRow> rows;
    bool more = false;
  };
  // Names after `after` in byte order, at most `limit` (at least 1).
  Result<Page> List(const std::string& after, size_t limit) const;

 private:
  Result<void> Follow(const std::string& name);

  MetaStore& meta_;
  UserDirectory& directory_;
  const Clock& clock_;
  const Log log_;
  Mutex following_;  // orders what is read of a row with what is told the directory
};

}  // namespace outport::store
