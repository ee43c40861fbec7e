#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>

#include "registry/base/task_group.h"
#include "registry/records/rows.h"
#include "store/content/space_demand.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/store/gc/watched_stores.h"
#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr size_t kBlobs = 10;
constexpr uint64_t kBlobBytes = 1000;
constexpr uint64_t kHeadroom = 1000;
const Pusher kAnnInTeamApp{.user = "ann", .repository = "team/app"};

// A disk with ten blobs of 1000 bytes, and 2000 bytes that are free. The collector frees trash
// early while less than 2000 bytes are free.
class FullDiskTest : public CollectorTest {
 protected:
  FullDiskTest() {
    UseCollector({.free_at_once_below = 2 * kHeadroom, .headroom_bytes = kHeadroom});
    for (size_t i = 0; i < kBlobs; ++i) EXPECT_TRUE(store.PushBlob("a", BytesOf(i)).has_value());
  }

  ~FullDiskTest() override { collector.reset(); }  // before the devices that it uses

  void UseCollector(const Collector::Limits& limits) {
    collector.reset();  // before the next one sets its function in the demand
    store.clock.Advance(WorkLease::kDuration);
    collector = std::make_unique<TestCollector>(
        store, limits, TestCollector::Devices{.bytes = &disk, .demand = &demand});
  }
  static std::string BytesOf(size_t i) {
    std::string bytes = std::to_string(i);
    bytes.resize(kBlobBytes, '.');
    return bytes;
  }
  uint64_t Used() const {
    uint64_t used = 0;
    for (const auto& path : store.Files("blobs")) used += std::filesystem::file_size(path);
    return std::max(used, used_at_least);
  }
  void DeleteBlobs(size_t count = kBlobs) {
    for (size_t i = 0; i < count; ++i) {
      ASSERT_TRUE(store.DeleteBlob("a", BytesOf(i)).has_value());
    }
    ASSERT_EQ(Objects(), kBlobs) << "the bytes are in the trash";
  }
  // Returns whether the store accepts a push of this size.
  bool Accepts(uint64_t bytes) {
    const Blobs blobs({.meta = *store.meta,
                       .bytes = disk,
                       .clock = store.clock,
                       .store_clock = store.store_clock,
                       .owner = *store.owner,
                       .metrics = store.metrics,
                       .log = Log::Nowhere(),
                       .headroom_bytes = kHeadroom,
                       .demand = &demand});
    const Result<void> enough = blobs.RequireFreeSpace(bytes, kAnnInTeamApp);
    EXPECT_TRUE(enough.has_value() || enough.error().code == ErrorCode::kNoSpace);
    return enough.has_value();
  }
  size_t Objects() const { return store.Files("blobs").size(); }
  v1::RunRow RunOfClients() {
    const auto runs = (*collector)->ListRuns({});
    for (const v1::RunRow& run : runs->runs()) {
      if (run.kind() == v1::RUN_KIND_CLIENTS) return run;
    }
    return {};
  }

  uint64_t used_at_least = 0;  // as if clients still read removed files
  SmallDisk disk{*store.bytes, kBlobs* kBlobBytes + 2 * kHeadroom, [this] { return Used(); }};
  SpaceDemand demand{store.clock};
};

TEST_F(FullDiskTest, ARejectedPushFindsSpaceShortly) {
  DeleteBlobs();
  collector->Work();
  EXPECT_EQ(Objects(), kBlobs) << "the disk is not short";
  EXPECT_FALSE(Accepts(4000));
  collector->Work();
  EXPECT_TRUE(Accepts(4000));
  EXPECT_EQ(Objects(), 7u) << "only what the push needs is freed";
  collector->Work();
  EXPECT_EQ(Objects(), 7u);
  ExpectConsistent();
}

TEST_F(FullDiskTest, TheTrashIsNotFreedForAPushForWhichItDoesNotSuffice) {
  DeleteBlobs();
  EXPECT_FALSE(Accepts(11'001));
  collector->Work();
  EXPECT_EQ(Objects(), kBlobs);
  EXPECT_FALSE(Accepts(11'001));
  EXPECT_FALSE(Accepts(4000)) << "not hidden by the larger push";
  collector->Work();
  EXPECT_TRUE(Accepts(4000));
  EXPECT_EQ(Objects(), 7u);
}

TEST_F(FullDiskTest, TheWholeTrashIsFreedForAPushThatNeedsIt) {
  DeleteBlobs();
  EXPECT_FALSE(Accepts(11'000));
  collector->Work();
  EXPECT_TRUE(Accepts(11'000));
  EXPECT_EQ(Objects(), 0u);
}

TEST_F(FullDiskTest, WhatClientsStillReadIsNotFreedTwice) {
  DeleteBlobs();
  used_at_least = Used();
  EXPECT_FALSE(Accepts(4000));
  collector->Work();
  EXPECT_EQ(Objects(), 7u) << "the disk shows nothing of it yet";
  collector->WorkAfter(TrashPurge::kSettle / 2);
  EXPECT_EQ(Objects(), 7u);
  used_at_least = 0;
  EXPECT_TRUE(Accepts(4000));
  collector->WorkAfter(TrashPurge::kSettle);
  EXPECT_EQ(Objects(), 7u);
}

TEST_F(FullDiskTest, APushDoesNotWaitForAClientThatReadsForLong) {
  DeleteBlobs();
  used_at_least = Used() - 3 * kBlobBytes;
  EXPECT_FALSE(Accepts(7000));  // six blobs go, and the disk shows three of them
  collector->Work();
  EXPECT_EQ(Objects(), 4u);
  EXPECT_FALSE(Accepts(7000));
  collector->WorkAfter(TrashPurge::kSettle);
  EXPECT_EQ(Objects(), 1u);
}

// A pusher that only states lengths gets no more than the limit, however often.
TEST_F(FullDiskTest, HeadersAloneDoNotEmptyTheTrash) {
  SpaceDemand limited(store.clock, 4000);
  collector.reset();
  store.clock.Advance(WorkLease::kDuration);
  collector = std::make_unique<TestCollector>(
      store, Collector::Limits{.free_at_once_below = 2 * kHeadroom, .headroom_bytes = kHeadroom},
      TestCollector::Devices{.bytes = &disk, .demand = &limited});
  DeleteBlobs();
  for (const uint64_t bytes : {11'000, 4001, 4000, 4000, 11'000, 4001, 4000}) {
    limited.Add(bytes, kAnnInTeamApp);
    collector->Work();
  }
  EXPECT_EQ(Objects(), 7u);
  collector.reset();  // before the demand
}

TEST_F(FullDiskTest, TheDemandNamesThePusher) {
  EXPECT_FALSE(Accepts(4000));
  ASSERT_TRUE(demand.Largest().has_value());
  EXPECT_EQ(demand.Largest()->by, kAnnInTeamApp);
  demand.Add(5000, {.user = "bob", .repository = "b"});
  EXPECT_EQ(demand.Largest()->by.user, "bob");
  demand.Add(4500, kAnnInTeamApp);
  EXPECT_EQ(demand.Largest()->by.user, "bob") << "whose demand is the largest";
}

// Each larger demand wakes the collector, which has just freed seven blobs at one a second.
TEST_F(FullDiskTest, PushesDoNotMakeTheCollectorFasterThanItsRate) {
  DeleteBlobs();
  collector.reset();
  store.clock.Advance(WorkLease::kDuration);
  Collector slow({.meta = *store.meta,
                  .bytes = disk,
                  .clock = store.clock,
                  .store_clock = store.store_clock,
                  .owner = *store.owner,
                  .metrics = store.metrics,
                  .log = Log::Nowhere(),
                  .limits = {.max_rate = 1,
                             .free_at_once_below = 2 * kHeadroom,
                             .headroom_bytes = kHeadroom,
                             .interval = hours(1)},
                  .demand = &demand});
  demand.Add(8000);
  const auto patience = std::chrono::steady_clock::now() + seconds(30);
  IoThread io;
  TaskGroup tasks(io.executor(), Log::Nowhere());
  tasks.Spawn([&] { return slow.WorkUntilCancelled(io.pool()); });
  const auto blobs = [&] { return CountRows(store, keys::kBlobs); };
  while (blobs() == kBlobs && std::chrono::steady_clock::now() < patience) {
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(blobs(), 3u);
  const auto end = std::chrono::steady_clock::now() + milliseconds(500);
  for (uint64_t bytes = 8001; std::chrono::steady_clock::now() < end && blobs() == 3; ++bytes) {
    demand.Add(bytes);
    std::this_thread::sleep_for(milliseconds(1));
  }
  EXPECT_EQ(blobs(), 3u) << "the rest of the seven seconds must pass";
  tasks.Cancel();
  EXPECT_TRUE(tasks.DrainBlocking(patience));
  io.Stop();
  slow.Stop();
}

TEST_F(FullDiskTest, WithZeroEverythingStaysUntilTheWindowEnds) {
  UseCollector({.free_at_once_below = 0, .headroom_bytes = kHeadroom});
  DeleteBlobs();
  EXPECT_FALSE(Accepts(4000));
  collector->Work();
  EXPECT_EQ(Objects(), kBlobs);
}

TEST_F(FullDiskTest, ADemandIsForgottenWhenNobodyPushesAgain) {
  DeleteBlobs(2);  // not enough
  EXPECT_FALSE(Accepts(4000));
  collector->WorkAfter(minutes(2));
  for (size_t i = 2; i < kBlobs; ++i) ASSERT_TRUE(store.DeleteBlob("a", BytesOf(i)).has_value());
  collector->WorkAfter(minutes(9));
  EXPECT_EQ(Objects(), kBlobs);
}

TEST_F(FullDiskTest, TheCountsOfTheHourAreExactAlthoughPartOfItIsFreed) {
  DeleteBlobs(8);
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 8u) << "also within the hour";
  EXPECT_FALSE(Accepts(4000));
  collector->Work();
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 5u);
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 5u * kBlobBytes);
  ASSERT_TRUE(store.DeleteBlob("a", BytesOf(8)).has_value());
  collector->WorkAfter(hours(2));
  EXPECT_EQ(RunOfClients().removed().blobs(), 9u);
  EXPECT_EQ(RunOfClients().freed().blobs(), 3u);
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 6u);
  collector->WorkAfter(hours(24));
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 0u);
  EXPECT_EQ(Objects(), 1u);
  ExpectConsistent();
}

TEST_F(FullDiskTest, AJobInProgressDoesNotHoldItUp) {
  DeleteBlobs();
  store.clock.StepWall(minutes(10));
  store.clock.Advance(minutes(10));
  ASSERT_TRUE(store.store_clock.Save(*store.meta).has_value());
  static_cast<void>(collector->Step());
  ASSERT_TRUE((*collector)->StartRun({}, kAdministrator).has_value());
  collector->Work();
  ASSERT_NE((*collector)->Get()->running(), "") << "the run waits after a step of the clock";
  EXPECT_FALSE(Accepts(4000));
  collector->WorkAfter(seconds(1));
  EXPECT_TRUE(Accepts(4000));
  EXPECT_NE((*collector)->Get()->running(), "");
}

TEST_F(FullDiskTest, APauseHoldsItUp) {
  DeleteBlobs();
  collector->Pause();
  EXPECT_FALSE(Accepts(4000));
  collector->Work();
  EXPECT_EQ(Objects(), kBlobs);
}

TEST_F(FullDiskTest, TheNextLookAtTheQueueDoesNotHoldItUp) {
  Collector::Limits limits{.free_at_once_below = 2 * kHeadroom, .headroom_bytes = kHeadroom};
  limits.interval = hours(1);
  UseCollector(limits);
  DeleteBlobs();
  while ((*collector)->Step() < seconds(1)) {
  }
  EXPECT_FALSE(Accepts(4000));
  EXPECT_LT((*collector)->Step(), seconds(1)) << "it frees at once";
  EXPECT_TRUE(Accepts(4000));
}

// A run in progress owns its trash. On a short disk it ends now and then.
TEST_F(FullDiskTest, AllThatIsCollectedIsFreedWhileTheCollectionGoesOn) {
  UseCollector({.free_at_once_below = 10 * kBlobBytes, .headroom_bytes = kHeadroom});
  for (size_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(store.PushBlob("b", "small " + std::to_string(i)).has_value());
  }
  store.clock.Advance(hours(37));
  ASSERT_TRUE(collector->Step());
  ASSERT_EQ(collector->LastRun().state(), v1::RUN_STATE_RUNNING);
  ASSERT_GT(CountRows(store, keys::kLinks), 0u) << "there is more to collect";
  store.clock.Advance(seconds(10));
  ASSERT_TRUE(collector->Step());
  EXPECT_LT(Objects(), kBlobs + 100);
  EXPECT_GT(CountRows(store, keys::kLinks), 0u);
  collector->Work();
  EXPECT_LE(Used(), 2 * kBlobBytes) << "the disk is short no longer";
}

TEST(SpaceDemandTest, WakesTheCollectorOnceForPushesOfOneSize) {
  ManualClock clock;
  SpaceDemand demand(clock);
  int wakes = 0;
  demand.OnMore([&] { ++wakes; });
  EXPECT_FALSE(demand.Largest().has_value());
  for (int i = 0; i < 10; ++i) demand.Add(100);
  EXPECT_EQ(wakes, 1);
  demand.Add(50);
  EXPECT_EQ(demand.Largest()->bytes, 100u);
  demand.Add(101);
  EXPECT_EQ(wakes, 2);
  demand.Satisfy(100);
  EXPECT_EQ(demand.Largest()->bytes, 101u);
  demand.Satisfy(101);
  EXPECT_FALSE(demand.Largest().has_value());
  demand.Add(7);
  EXPECT_EQ(wakes, 3);
  clock.Advance(SpaceDemand::kKept);
  EXPECT_FALSE(demand.Largest().has_value());
  demand.Add(7);
  EXPECT_EQ(wakes, 4);
}

TEST(SpaceDemandTest, IgnoresWhatIsLargerThanTheLimit) {
  ManualClock clock;
  SpaceDemand demand(clock, 1000);
  demand.Add(1001);
  EXPECT_FALSE(demand.Largest().has_value());
  demand.Add(1000);
  demand.Add(1001);
  EXPECT_EQ(demand.Largest()->bytes, 1000u);
}

TEST(SpaceDemandTest, IgnoresForAMinuteWhatTheDiskCannotHave) {
  ManualClock clock;
  SpaceDemand demand(clock);
  int wakes = 0;
  demand.OnMore([&] { ++wakes; });
  demand.Add(1000);
  demand.Refuse(999);
  EXPECT_FALSE(demand.Largest().has_value());
  for (int i = 0; i < 10; ++i) demand.Add(1000);
  EXPECT_EQ(wakes, 1);
  demand.Add(999);
  EXPECT_EQ(demand.Largest()->bytes, 999u);
  clock.Advance(SpaceDemand::kRefused);
  demand.Add(1000);
  EXPECT_EQ(demand.Largest()->bytes, 1000u);
  EXPECT_EQ(wakes, 3);
}

}  // namespace
}  // namespace outport::store
