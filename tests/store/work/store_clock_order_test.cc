#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/log.h"
#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/store/work/store_clock_fixture.h"
#include "tests/support/fault_disk.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A step is used only when it is persisted: a restart does not take it back.
TEST_F(StoreClockTest, AStepSurvivesAPowerCut) {
  clock_.Pass(minutes(59));
  clock_.StepWall(minutes(59));
  Save();
  EXPECT_EQ(Now(), minutes(118));
  clock_.StepWall(-minutes(59));
  Reboot(seconds(1));
  EXPECT_GE(Now(), minutes(118));
}

TEST_F(StoreClockTest, WithoutItsRowTheClockMakesNoStep) {
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  const auto meta =
      OpenRocksMetaStore({.folder = folder.path() / "meta", .env = disk.env()}, Log::Nowhere())
          .value();
  disk.CutAt(1);
  clock_.Pass(minutes(30));
  clock_.StepWall(minutes(30));
  EXPECT_FALSE(store_clock_->Save(*meta).has_value());
  EXPECT_EQ(Now(), minutes(30));
  clock_.StepWall(hours(30));
  EXPECT_FALSE(store_clock_->Accept(*meta).has_value());
  EXPECT_EQ(Now(), minutes(30));
}

// Another process, on another machine, that shares the row.
TEST_F(StoreClockTest, AnEarlierTimeIsNeverWrittenOverALaterOne) {
  Save();
  SplitClock their_clock;
  StoreClock theirs(their_clock, "another boot");
  ASSERT_TRUE(theirs.Load(meta_).has_value());
  their_clock.Pass(minutes(10));
  ASSERT_TRUE(theirs.Save(meta_).has_value());
  const int64_t time_ms = theirs.NowMs();
  EXPECT_GE(milliseconds(time_ms - SplitClock::kStartMs), minutes(10));
  clock_.Pass(minutes(1));
  SaveAtStop();
  const auto row = ReadRow<v1::ClockRow>(meta_, keys::kClock).value();
  EXPECT_GE(row->time_ms(), time_ms);
  EXPECT_GE(row->until_ms(), time_ms + StoreClock::kMaxSavePeriod.count())
      << "the other process may use times until then";
  EXPECT_GE(store_clock_->NowMs(), time_ms);
  EXPECT_EQ(SinceStep(), seconds(0)) << "leases end earlier by as much";
}

TEST_F(StoreClockTest, ProcessesThatAgreeMakeNoSteps) {
  Save();
  StoreClock theirs(clock_, boot_id_);
  ASSERT_TRUE(theirs.Load(meta_).has_value());
  for (int i = 0; i < 10; ++i) {
    clock_.Pass(seconds(10));
    ASSERT_TRUE(theirs.Save(meta_).has_value());
    clock_.Pass(seconds(10));
    Save();
  }
  EXPECT_EQ(Now(), seconds(200));
  EXPECT_EQ(theirs.NowMs(), store_clock_->NowMs());
  EXPECT_FALSE(SinceStep().has_value());
}

// Kills, restarts, reboots and steps of the wall clock, in many orders.
TEST_F(StoreClockTest, NeverGoesBack) {
  uint64_t state = 0x9e3779b97f4a7c15;
  const auto random = [&state](uint64_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<int64_t>(state % below);
  };
  int64_t latest = 0;
  const auto look = [&] {
    const int64_t now = store_clock_->NowMs();
    EXPECT_GE(now, latest);
    latest = std::max(latest, now);
  };
  for (int i = 0; i < 20'000 && !HasFailure(); ++i) {
    clock_.Pass(milliseconds(random(60'000)));  // at most kMaxSavePeriod since Save()
    look();
    switch (random(8)) {
      case 0:
        clock_.StepWall(milliseconds(random(7'200'000)) - hours(1));
        break;
      case 1:
        clock_.StepWall(random(2) == 0 ? hours(37) : -hours(37));
        break;
      case 2:
        Start();
        break;
      case 3:
        Reboot(milliseconds(random(600'000)));
        break;
      case 4:
        Accept();
        break;
      default:
        break;
    }
    Save();
    look();
  }
}

TEST_F(StoreClockTest, NeverGoesBackUnderConcurrentReaders) {
  std::atomic<bool> stop = false;
  std::atomic<int64_t> latest = 0;
  std::atomic<int> backward = 0;
  std::atomic<int> reads = 0;
  const auto read = [&] {
    while (!stop) {
      const int64_t before = latest.load();
      const int64_t now = store_clock_->NowMs();
      if (now < before) ++backward;
      int64_t seen = before;
      while (seen < now && !latest.compare_exchange_weak(seen, now)) {
      }
      ++reads;
    }
  };
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) readers.emplace_back(read);
  for (int i = 0; i < 2'000 || reads < 10'000; ++i) {
    clock_.Pass(milliseconds(3));
    clock_.StepWall(milliseconds(i % 2 == 0 ? 1'000 : -900));
    if (i % 100 == 0) Accept();
    if (i % 10 == 0) Save();
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(backward, 0);
  EXPECT_GT(Now(), seconds(6));
}

}  // namespace
}  // namespace outport::store
