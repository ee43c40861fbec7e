#pragma once

#include <filesystem>
#include <memory>

#include "registry/base/log.h"
#include "registry/storage/meta_store.h"

namespace rocksdb {
class Env;
}

namespace outport {

struct RocksOptions {
  std::filesystem::path folder;
  rocksdb::Env* env = nullptr;  // nullptr: the machine's; tests put a fault seam here
};

// The MetaStore over an embedded RocksDB. Commits of several threads are written together: one of
// them leads, gives all their records their numbers, and syncs the WAL once.
// kCorrupt or kInternal name the folder and RocksDB's reason.
Result<std::unique_ptr<MetaStore>> OpenRocksMetaStore(const RocksOptions& options, const Log& log);

}  // namespace outport
