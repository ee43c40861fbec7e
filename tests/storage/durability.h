#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/fault_disk.h"
#include "tests/support/temporary_folder.h"

// Runs a program of storage on a FaultDisk: it changes the stores, notes acknowledged
// changes, and checks after a power cut that they exist.
namespace outport {

// The differences from what was acknowledged: lost or unexpected changes, one per line.
using Losses = std::vector<std::string>;

// One piece of work on a disk.
class DurabilityCase {
 public:
  virtual ~DurabilityCase() = default;
  // Opens the stores, changes them, notes acknowledged changes, and closes them. Stops at the first
  // failure.
  virtual void Work(FaultDisk& disk) = 0;
  // Opens the stores again and compares.
  virtual Losses Look(FaultDisk& disk) = 0;
};

using MakeDurabilityCase =
    std::function<std::unique_ptr<DurabilityCase>(const std::filesystem::path&)>;

inline std::string Joined(const Losses& losses) {
  std::string text;
  for (const std::string& loss : losses) text += loss + "\n";
  return text;
}

// Cuts the power at each fault point in turn: no acknowledged change may be lost.
inline void ExpectNothingLostAtAnyCut(const MakeDurabilityCase& make, Loss loss) {
  for (uint64_t n = 1;; ++n) {
    const TemporaryFolder folder;
    FaultDisk disk(folder.path());
    const auto work = make(folder.path());
    disk.CutAt(n);
    work->Work(disk);
    const bool whole = !disk.is_cut();
    const auto history = disk.history();
    disk.DropUnsynced(loss);
    ASSERT_EQ(Joined(work->Look(disk)), "")
        << "cut at point " << n << ", " << Describe(history[std::min(n, history.size()) - 1]);
    if (whole) {
      ASSERT_GT(n, 10u) << "the work has hardly a fault point";
      return;
    }
  }
}

// Kills the process at each fault point in turn, runs the work in another process, and then cuts
// the power: no change that either process acknowledged may be lost.
inline void ExpectNothingLostAfterARestart(const MakeDurabilityCase& make) {
  for (uint64_t n = 1;; ++n) {
    const TemporaryFolder folder;
    FaultDisk disk(folder.path());
    const auto first = make(folder.path());
    disk.CutAt(n);
    first->Work(disk);
    const bool whole = !disk.is_cut();
    disk.Restart();
    const auto second = make(folder.path());
    second->Work(disk);
    disk.DropUnsynced();
    ASSERT_EQ(Joined(first->Look(disk)) + Joined(second->Look(disk)), "")
        << "killed at point " << n;
    if (whole) return;
  }
}

// Ignores the syncs of one kind: then the tests above must find a loss.
inline void ExpectLossIfIgnored(const MakeDurabilityCase& make, const std::string& what,
                                const FaultDisk::Selector& syncs) {
  SCOPED_TRACE("ignoring " + what);
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  disk.IgnoreSyncs(syncs);
  const auto work = make(folder.path());
  work->Work(disk);
  EXPECT_GT(disk.ignored(), 0u) << "there is no such sync";
  disk.IgnoreSyncs(nullptr);
  disk.DropUnsynced();
  EXPECT_NE(Joined(work->Look(disk)), "")
      << "nothing is lost: the sync is not needed, or not tested";
}

}  // namespace outport
