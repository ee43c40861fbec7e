#pragma once

#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Lists tags and repositories page by page, so that no list is in memory as a whole. Safe for
// several threads. Every method blocks, unless its comment says otherwise.
class Catalog {
 public:
  explicit Catalog(const MetaStore& meta) : meta_(meta) {}

  // Returns the sequence of the newest change. Does not block.
  Result<uint64_t> Head() const;
  // Lists the tags of a repository. kNameUnknown if the repository does not exist.
  Result<Page> Tags(const RepositoryName& repository, const PageRequest& page) const;
  // Lists the repositories that `visible` accepts. Calls `visible` on the caller's thread.
  Result<Page> Repositories(const PageRequest& page, const Visible& visible) const;

 private:
  const MetaStore& meta_;
};

}  // namespace outport::store
