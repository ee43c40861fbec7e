#pragma once

#include <rocksdb/env.h>

#include <filesystem>
#include <memory>

#include "tests/support/fault_env.h"
#include "tests/support/fault_files.h"
#include "tests/support/fault_recorder.h"

namespace outport {

// A simulated disk with power cuts: a folder of the real disk, used through our FileSystem and
// RocksDB's Env. Every create, write, sync, rename and removal is a fault point. After a cut all
// operations fail. DropUnsynced() then reduces the folder to its durable state:
//
//   FaultDisk disk(folder);
//   disk.CutAt(7);                       // the 7th fault point from now fails
//   Push(disk.files(), disk.env());      // runs until the cut
//   disk.DropUnsynced();                 // the power is back: reopen and check
//
// Fail() and FailReads() select operations that fail while the power is on, with EIO or ENOSPC.
//
// IgnoreSyncs() selects syncs that return OK without an effect. A test of durability must fail with
// it; otherwise it tests nothing. Close the stores before DropUnsynced() and Restart(). Only files
// written through files() and env() are affected.
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
  // Ignores only the k-th sync from now; 1: the next.
  void IgnoreSync(uint64_t k) {
    IgnoreSyncs([left = k](const FaultPoint&) mutable { return left > 0 && --left == 0; });
  }
  uint64_t ignored() const { return recorder_.ignored(); }
  // Makes the selected changes fail without an effect, while the power is on. {}: none.
  void Fail(FaultError error, Selector which) { recorder_.Fail(error, std::move(which)); }
  // Makes reads of the selected files fail (EIO), in files() and in RocksDB. {}: none.
  void FailReads(FaultRecorder::PathSelector which) { recorder_.FailReads(std::move(which)); }
  // The changes and reads that failed, without those after a power cut.
  uint64_t failed() const { return recorder_.failed(); }
  // The recorded changes so far.
  std::vector<FaultPoint> history() const { return recorder_.history(); }

  // The power is back.
  void DropUnsynced(Loss loss = Loss::kAllUnsynced) { recorder_.DropUnsynced(loss); }
  // Only the process was killed and restarts: nothing is lost, and nothing becomes more durable.
  void Restart() { recorder_.Restart(); }

 private:
  FaultRecorder recorder_;
  FaultFileSystem files_;
  const std::unique_ptr<rocksdb::Env> env_;
};

}  // namespace outport
