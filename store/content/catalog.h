#pragma once

#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Lists, page by page: no list is ever whole in memory. Safe for several threads; blocks.
class Catalog {
 public:
  explicit Catalog(const MetaStore& meta) : meta_(meta) {}

  // The number of the newest change; does not block.
  Result<uint64_t> Head() const;
  // kNameUnknown.
  Result<Page> Tags(const RepositoryName& repository, const PageRequest& page) const;
  // Only repositories that `visible` accepts; it is called on this thread.
  Result<Page> Repositories(const PageRequest& page, const Visible& visible) const;

 private:
  const MetaStore& meta_;
};

}  // namespace outport::store
