#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport {

// Keeps disk space for commits of the urgency kMustPass: a file whose blocks are allocated. When
// the disk is nearly full, the ballast is given up: the file is deleted. As long as the disk then
// has less free space than twice the file, other commits fail before they reach the database. So a
// write of the database hardly ever fails for lack of space. After such a failure the database is
// read-only until a restart.
//
// Safe for several threads. Blocks only while it allocates or deletes the file.
class Ballast {
 public:
  struct Options {
    std::filesystem::path file;
    uint64_t size_bytes = 0;  // but at most 1/16 of the disk
    // Returns the size and the free space of the disk; nullptr: asks the file system.
    std::function<Result<std::filesystem::space_info>()> space = {};
  };
  // Allocates the file if enough space is free, or takes over the file of an earlier process.
  static std::unique_ptr<Ballast> Open(Options options, const Log& log);

  // Call it before each commit. Returns kNoSpace if the commit must wait for free space. Gives the
  // ballast up and restores it.
  Result<void> Admit(MetaTransaction::Urgency urgency);

 private:
  Ballast(Options options, uint64_t size_bytes, const Log& log)
      : options_(std::move(options)), size_bytes_(size_bytes), log_(log) {}

  void GiveUp(uint64_t free_bytes) OUTPORT_REQUIRES_LOCK(mutex_);
  void Restore(uint64_t free_bytes) OUTPORT_REQUIRES_LOCK(mutex_);

  const Options options_;
  const uint64_t size_bytes_;
  const Log log_;
  Mutex mutex_;
  bool held_ OUTPORT_GUARDED_BY(mutex_) = false;
  bool was_given_up_ OUTPORT_GUARDED_BY(mutex_) = false;  // the log has said so
  std::optional<std::chrono::steady_clock::time_point> failed_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
