#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "tests/support/fault_disk.h"
#include "tests/support/temporary_folder.h"

// Runs a program of the storage floor against a FaultDisk: it does some work, tells what was
// acknowledged, and after the power is back somebody looks for it.
namespace outport {

// What was acknowledged and is not there any more, or is there and should not be; a line each.
using Losses = std::vector<std::string>;

// One piece of work on a disk.
class DurabilityCase {
 public:
  virtual ~DurabilityCase() = default;
  // Opens the stores, changes them, notes what was acknowledged, closes them. Stops at the first
  // failure.
  virtual void Work(FaultDisk& disk) = 0;
  // Opens them again.
  virtual Losses Look(FaultDisk& disk) = 0;
};

using MakeDurabilityCase =
    std::function<std::unique_ptr<DurabilityCase>(const std::filesystem::path&)>;

inline std::string Joined(const Losses& losses) {
  std::string text;
  for (const std::string& loss : losses) text += loss + "\n";
  return text;
}

// The power goes at every fault point in turn: nothing acknowledged may be lost.
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

// The process dies at every fault point in turn, another does the work again, and then the power
// goes: nothing that either acknowledged may be lost.
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

// The disk does not do the syncs of one kind: if the test can lose at all, it loses now.
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
