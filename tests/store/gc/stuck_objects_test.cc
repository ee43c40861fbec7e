#include <set>
#include <string>

#include "registry/records/rows.h"
#include "store/gc/stuck_objects.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using std::chrono::hours;

// A store on a disk that removes no files of blobs while the test says so.
class StuckObjectsTest : public testing::Test {
 protected:
  StuckObjectsTest() { EXPECT_TRUE(store_.Open().has_value()); }

  void PushAndCollect(size_t blobs) {
    for (size_t i = 0; i < blobs; ++i) {
      ASSERT_TRUE(store_.PushBlob("a", "blob " + std::to_string(i)).has_value());
    }
    TestCollector(store_).WorkAfter(hours(37));
    store_.clock.Advance(hours(25));
  }
  void FailRemovals() {
    disk_.Fail(FaultError::kIo, [](const FaultPoint& point) {
      return point.kind == FaultKind::kRemove && point.path.native().contains("/blobs/");
    });
  }
  void RepairDisk() { disk_.Fail(FaultError::kIo, {}); }
  size_t Objects() const { return store_.Files("blobs").size(); }
  size_t Intents() const { return CountRows(store_, keys::kIntents); }

  const TemporaryFolder folder_;
  FaultDisk disk_{folder_.path()};
  TestContent store_{folder_.path(), disk_.files(), disk_.env()};
};

TEST_F(StuckObjectsTest, WhatTheDiskDoesNotRemoveGoesLaterWithoutARestart) {
  PushAndCollect(1);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  EXPECT_GT(disk_.failed(), 0u);
  EXPECT_EQ(CountRows(store_, keys::kBlobs), 0u);
  EXPECT_EQ(Objects(), 1u);
  EXPECT_EQ(Intents(), 1u);
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Objects(), 1u) << "it fails again";
  EXPECT_EQ(Intents(), 1u);
  RepairDisk();
  collector.WorkAfter(StuckObjects::kWait / 2);
  EXPECT_EQ(Objects(), 1u) << "the next attempt waits";
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Objects(), 0u);
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(StuckObjectsTest, ASingleObjectThatStaysShows) {
  PushAndCollect(1);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  EXPECT_EQ(Intents(), 1u);
  EXPECT_EQ(collector->Get()->stuck_objects(), 0u) << "the first failure may pass";
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(collector->Get()->stuck_objects(), 1u);
  const auto warns = testing::Contains(
      testing::HasSubstr("objects of freed blobs that the disk does not remove: 1;"));
  EXPECT_THAT(collector->Warnings(), warns);
  RepairDisk();
  collector.WorkAfter(2 * StuckObjects::kWait);
  EXPECT_EQ(collector->Get()->stuck_objects(), 0u);
  EXPECT_THAT(collector->Warnings(), testing::Not(warns));
}

// The process has freed the blob, so nothing but its own intent is needed.
TEST_F(StuckObjectsTest, WithoutTheLeaseTheyGoToo) {
  PushAndCollect(1);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  EXPECT_EQ(Objects(), 1u);
  store_.clock.Advance(StuckObjects::kWait);
  TestCollector other(store_);
  other.Step();
  RepairDisk();
  collector.Step();
  EXPECT_FALSE(collector->HoldsLease());
  EXPECT_EQ(Objects(), 0u);
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(StuckObjectsTest, APauseKeepsThem) {
  PushAndCollect(1);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  RepairDisk();
  collector.Pause();
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Objects(), 1u);
  TestCollector other(store_);
  store_.clock.Advance(StuckObjects::kWait);
  other.Step();
  collector.Step();
  EXPECT_FALSE(collector->HoldsLease());
  EXPECT_EQ(Objects(), 1u) << "also without the lease";
  collector.Resume();
  collector.Step();
  EXPECT_EQ(Objects(), 0u);
}

// For example in a damaged directory.
TEST_F(StuckObjectsTest, ObjectsThatNeverGoHoldUpNoOthers) {
  constexpr size_t kStuck = StuckObjects::kMany + TrashPurge::kBlobs;
  PushAndCollect(kStuck);
  std::set<std::string> stuck;
  for (const auto& file : store_.Files("blobs")) stuck.insert(file.filename());
  disk_.Fail(FaultError::kIo, [stuck](const FaultPoint& point) {
    return point.kind == FaultKind::kRemove && stuck.contains(point.path.filename());
  });
  ASSERT_TRUE(store_.PushBlob("a", "later").has_value());
  TestCollector collector(store_);
  collector.Work();
  EXPECT_EQ(Intents(), StuckObjects::kMany) << "the others wait for a minute";
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Intents(), kStuck);
  collector.WorkAfter(hours(37));
  collector.WorkAfter(hours(25));
  EXPECT_EQ(Objects(), kStuck) << "all but the later one";
  EXPECT_EQ(Intents(), kStuck);
  EXPECT_EQ(CountRows(store_, keys::kTrash), 0u);
}

// All rows but few in a minute stay in the trash, where undo and status know them.
TEST_F(StuckObjectsTest, ADiskThatRemovesNothingHoldsUpThePurge) {
  constexpr size_t kBlobs = StuckObjects::kMany + 3 * TrashPurge::kBlobs;
  PushAndCollect(kBlobs);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  EXPECT_EQ(Intents(), StuckObjects::kMany);
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Objects(), kBlobs);
  EXPECT_EQ(Intents(), StuckObjects::kMany + TrashPurge::kBlobs);
  EXPECT_EQ(CountRows(store_, keys::kBlobs), kBlobs - Intents()) << "the others are in the trash";
  RepairDisk();
  for (size_t done = 0; done < kBlobs; done += StuckObjects::kTries) {
    collector.WorkAfter(StuckObjects::kWait);
  }
  EXPECT_EQ(Objects(), 0u);
  EXPECT_EQ(Intents(), 0u);
  EXPECT_EQ(CountRows(store_, keys::kTrash), 0u);
}

}  // namespace
}  // namespace outport::store
