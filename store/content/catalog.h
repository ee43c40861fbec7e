#pragma once

#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Lists of tags and repositories, page by page: a list is never whole in memory. Safe for several
// threads. Every method blocks, unless it says otherwise.
class Catalog {
 public:
  explicit Catalog(const MetaStore& meta) : meta_(meta) {}

  // Returns the sequence of the newest change. Does not block.
  Result<uint64_t> Head() const;
  // Lists the tags of a repository. kNameUnknown.
  Result<Page> Tags(const RepositoryName& repository, const PageRequest& page) const;
  // Lists the repositories that `visible` accepts. Calls it on this thread.
  Result<Page> Repositories(const PageRequest& page, const Visible& visible) const;

 private:
  const MetaStore& meta_;
};

}  // namespace outport::store
