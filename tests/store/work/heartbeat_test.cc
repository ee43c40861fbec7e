#include "store/work/heartbeat.h"

#include <gtest/gtest.h>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"
#include "tests/support/memory_meta_store.h"
#include "tests/support/split_clock.h"

namespace outport::store {
namespace {

class HeartbeatTest : public testing::Test {
 protected:
  // One process.
  struct Process {
    explicit Process(HeartbeatTest& test)
        : clock(test.clock_, "boot"), owner(test.meta_, clock, Owner::Access::kShared) {}
    StoreClock clock;
    Owner owner;
  };
  Heartbeat HeartbeatOf(Process& process) {
    return Heartbeat({.meta = meta_,
                      .clock = process.clock,
                      .owner = process.owner,
                      .pool = pool_,
                      .log = Log::Nowhere()});
  }

  SplitClock clock_;
  MemoryMetaStore meta_;
  BlockingPool pool_{"beat", 1, 10};
  Process first_{*this};
  Process second_{*this};
};

TEST_F(HeartbeatTest, KeepsTheOwnerAliveAndTheClockSaved) {
  Heartbeat beats = HeartbeatOf(first_);
  ASSERT_TRUE(beats.Start().has_value());
  for (int i = 0; i < 10; ++i) {
    clock_.Pass(Owner::kRenewPeriod);
    EXPECT_FALSE(second_.owner.IsDead(first_.owner.id()).value());
    beats.Beat();
    const auto row = ReadRow<v1::ClockRow>(meta_, keys::kClock).value();
    ASSERT_TRUE(row.has_value());
    EXPECT_EQ(row->time_ms(), clock_.WallMs());
    EXPECT_GT(row->until_ms(), row->time_ms());
  }
}

TEST_F(HeartbeatTest, StopsWithAnExactTimeAndWithoutALease) {
  Heartbeat beats = HeartbeatOf(first_);
  ASSERT_TRUE(beats.Start().has_value());
  clock_.Pass(std::chrono::seconds(3));
  beats.Stop();
  const auto row = ReadRow<v1::ClockRow>(meta_, keys::kClock).value();
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->time_ms(), clock_.WallMs());
  EXPECT_EQ(row->until_ms(), row->time_ms());
  EXPECT_TRUE(second_.owner.IsDead(first_.owner.id()).value());
}

TEST_F(HeartbeatTest, AStartContinuesTheClockAndDeletesOldOwners) {
  Heartbeat first = HeartbeatOf(first_);
  ASSERT_TRUE(first.Start().has_value());
  clock_.StepWall(-std::chrono::minutes(30));
  clock_.Pass(Owner::kForget + Owner::kDuration);
  Process later(*this);
  Heartbeat beats = HeartbeatOf(later);
  ASSERT_TRUE(beats.Start().has_value());
  EXPECT_EQ(later.clock.NowMs(), clock_.WallMs() + 30 * 60'000);
  EXPECT_EQ(meta_.Scan({.prefix = std::string(keys::kOwners), .after = {}})->size(), 1u);
}

}  // namespace
}  // namespace outport::store
