#pragma once

#include <functional>
#include <string>
#include <utility>

#include "outport/v1/record.pb.h"
#include "registry/base/mutex.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Keeps the directory where the rows are: of users, of grants, of revoked certificates. Safe for
// several threads; blocks.
class AccessFollower {
 public:
  // Called with a revocation as soon as the directory refuses its certificate. Must not block.
  using RevocationListener = std::function<void(const v1::RevocationRow& revocation)>;

  // `meta` and `directory` outlive it.
  AccessFollower(MetaStore& meta, AccessDirectory& directory, RevocationListener on_revoked = {})
      : meta_(meta), directory_(directory), on_revoked_(std::move(on_revoked)) {}

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
  const RevocationListener on_revoked_;
  Mutex following_;  // orders what is read of a row with what is told the directory
};

}  // namespace outport::store
