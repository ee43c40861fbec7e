#pragma once

#include <string>

#include "registry/base/mutex.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Keeps the directory where the rows are: of users, of grants, of revoked certificates. Safe for
// several threads; blocks.
class AccessFollower {
 public:
  // Both outlive it.
  AccessFollower(MetaStore& meta, AccessDirectory& directory)
      : meta_(meta), directory_(directory) {}

  // Fills the directory from the rows. Called once, at start.
  Result<void> Load();
  // After a commit that changed the row at `key`. Tells the directory what the row says now, not
  // what the caller wrote: of two changes of one row the one that comes here last sees what was
  // committed last. If that cannot be known, the row counts as gone.
  Result<void> Follow(const std::string& key);

  AccessDirectory& directory() const { return directory_; }

 private:
  MetaStore& meta_;
  AccessDirectory& directory_;
  Mutex following_;  // orders what is read of a row with what is told the directory
};

}  // namespace outport::store
