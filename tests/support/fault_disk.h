#pragma once

#include <rocksdb/env.h>

#include <filesystem>
#include <memory>

#include "tests/support/fault_env.h"
#include "tests/support/fault_files.h"
#include "tests/support/fault_recorder.h"

namespace outport {

// A disk whose power can be cut: a folder of the real one, under our FileSystem and RocksDB's Env.
// Every create, write, sync, rename and removal is a fault point. From a cut on all operations
// fail; then DropUnsynced() leaves of the folder what a cut would:
//
//   FaultDisk disk(folder);
//   disk.CutAt(7);                       // the 7th fault point from now does not happen any more
//   Push(disk.files(), disk.env());      // as much of the program as gets through
//   disk.DropUnsynced();                 // the power is back: open everything again and look
//
// IgnoreSyncs() makes it lie: the syncs it picks return OK and keep nothing. A test of durability
// that a lie does not turn red tests nothing. Stores are closed before DropUnsynced() and
// Restart(). Only what goes through files() and env() is lost; other files in the folder stay.
class FaultDisk {
 public:
  using Selector = FaultRecorder::Selector;

  explicit FaultDisk(const std::filesystem::path& root)
      : recorder_(root),
        files_(recorder_),
        env_(rocksdb::NewCompositeEnv(std::make_shared<FaultRocksFileSystem>(recorder_))) {}

  FileSystem& files() { return files_; }
  rocksdb::Env* env() { return env_.get(); }

  // 1: the next fault point; 0: never.
  void CutAt(uint64_t n) { recorder_.CutAt(n); }
  bool is_cut() const { return recorder_.is_cut(); }
  void IgnoreSyncs(Selector which) { recorder_.IgnoreSyncs(std::move(which)); }
  // The k-th sync from now alone; 1: the next.
  void IgnoreSync(uint64_t k) {
    IgnoreSyncs([left = k](const FaultPoint&) mutable { return left > 0 && --left == 0; });
  }
  uint64_t ignored() const { return recorder_.ignored(); }
  // What happened so far.
  std::vector<FaultPoint> history() const { return recorder_.history(); }

  // The power came back.
  void DropUnsynced(Loss loss = Loss::kAllUnsynced) { recorder_.DropUnsynced(loss); }
  // Only the process died, and starts again: nothing is lost, nor more durable than it was.
  void Restart() { recorder_.Restart(); }

 private:
  FaultRecorder recorder_;
  FaultFileSystem files_;
  const std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace outport
