#pragma once

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"
#include "store/access/pending_access.h"

namespace outport::store {

// Keeps the access directory in step with the rows of users, grants and revocations, and with the
// changes of these rows that are pending. Safe for several threads; blocks.
class AccessFollower {
 public:
  // Called with each revocation, after the directory has begun to refuse the certificate. Must not
  // block.
  using RevocationListener = std::function<void(const v1::RevocationRow& revocation)>;

  // `meta` and `directory` outlive the follower.
  AccessFollower(MetaStore& meta, AccessDirectory& directory, RevocationListener on_revoked = {},
                 Log log = Log::Nowhere())
      : meta_(meta),
        directory_(directory),
        on_revoked_(std::move(on_revoked)),
        pending_(std::move(log)) {}

  // Fills the directory from the rows. Call it once, at start.
  Result<void> Load();
  // Call it after a commit that changed the row at `key`. It reads the row and applies what it
  // reads, not the caller's change. So after two concurrent changes of a row, the directory has the
  // result of the last commit, and of the pending changes after it. A row that cannot be read
  // counts as deleted.
  Result<void> Follow(const std::string& key);
  // Returns those of `keys` that are access rows, as they are after the pending changes.
  Result<std::vector<v1::Change>> ChangesOf(const std::set<std::string>& keys) const;

  AccessDirectory& directory() const { return directory_; }
  PendingAccess& pending() { return pending_; }
  const PendingAccess& pending() const { return pending_; }

 private:
  MetaStore& meta_;
  AccessDirectory& directory_;
  const RevocationListener on_revoked_;
  PendingAccess pending_;
  Mutex following_;  // held while a row is read and applied: the newest row wins
};

}  // namespace outport::store
