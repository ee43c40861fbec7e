#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "registry/base/log.h"
#include "registry/storage/meta_store.h"

namespace rocksdb {
class Env;
}

namespace outport {

struct RocksOptions {
  std::filesystem::path folder;
  rocksdb::Env* env = nullptr;  // nullptr: RocksDB's default; tests inject faults with another one
  uint64_t ballast_bytes = 0;   // disk space for commits that must pass; 0: none
  // Returns the space of the disk for the ballast; nullptr: asks the file system.
  std::function<Result<std::filesystem::space_info>()> space = {};
};

// Opens a MetaStore on an embedded RocksDB. A CommitQueue writes the commits of several threads
// together, with one sync of the WAL. kCorrupt or kInternal if the folder cannot be opened; the
// error names the folder and RocksDB's reason.
Result<std::unique_ptr<MetaStore>> OpenRocksMetaStore(const RocksOptions& options, const Log& log);

}  // namespace outport
