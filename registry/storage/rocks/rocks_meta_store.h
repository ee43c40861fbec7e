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
  rocksdb::Env* env = nullptr;  // nullptr: the default one; tests inject faults here
};

// Opens a MetaStore on an embedded RocksDB. It writes the commits of several threads together, with
// one sync of the WAL (CommitQueue). kCorrupt and kInternal name the folder and RocksDB's reason.
Result<std::unique_ptr<MetaStore>> OpenRocksMetaStore(const RocksOptions& options, const Log& log);

}  // namespace outport
