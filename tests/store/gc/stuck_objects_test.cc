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

// All rows but a bounded number stay in the trash, where undo and status know them.
TEST_F(StuckObjectsTest, ADiskThatRemovesNothingHoldsUpThePurge) {
  constexpr size_t kBlobs = StuckObjects::kMost + 3 * TrashPurge::kBlobs;
  PushAndCollect(kBlobs);
  TestCollector collector(store_);
  FailRemovals();
  collector.Work();
  collector.WorkAfter(StuckObjects::kWait);
  EXPECT_EQ(Objects(), kBlobs);
  EXPECT_GE(Intents(), StuckObjects::kMost);
  EXPECT_LT(Intents(), StuckObjects::kMost + TrashPurge::kBlobs);
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
