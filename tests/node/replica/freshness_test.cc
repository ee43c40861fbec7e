#include "node/replica/freshness.h"

#include <gtest/gtest.h>

namespace outport::node {
namespace {

using namespace std::chrono_literals;

class SetClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override { return boot; }
  std::chrono::system_clock::time_point Wall() const override { return FromUnixMillis(wall_ms); }
  void Pass(std::chrono::milliseconds time) {
    boot += time;
    wall_ms += time.count();
  }

  std::chrono::nanoseconds boot = 1000s;
  int64_t wall_ms = 1'700'000'000'000;
};

class FreshnessTest : public testing::Test {
 protected:
  SetClock clock_;
  Freshness freshness_{clock_, 0};
};

TEST_F(FreshnessTest, IsUnknownBeforeTheFirstPong) {
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
  freshness_.RecordApplied("e", 7);
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
}

TEST_F(FreshnessTest, CountsFromThePing) {
  freshness_.RecordApplied("e", 7);
  const auto sent = clock_.SinceBoot();
  clock_.Pass(300ms);
  freshness_.RecordPong(sent, "e", 7);
  EXPECT_EQ(freshness_.Staleness(), 300ms);
  clock_.Pass(1s);
  EXPECT_EQ(freshness_.Staleness(), 1300ms);
}

TEST_F(FreshnessTest, IsProvenOnlyOnceTheHeadIsApplied) {
  freshness_.RecordApplied("e", 7);
  const auto sent = clock_.SinceBoot();
  freshness_.RecordPong(sent, "e", 9);
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
  freshness_.RecordApplied("e", 8);
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
  clock_.Pass(50ms);
  freshness_.RecordApplied("e", 9);
  EXPECT_EQ(freshness_.Staleness(), 50ms);
}

TEST_F(FreshnessTest, TakesTheLatestOfSeveralPongs) {
  freshness_.RecordApplied("e", 0);
  for (uint64_t head = 1; head <= 3; ++head) {
    freshness_.RecordPong(clock_.SinceBoot(), "e", head);
    clock_.Pass(500ms);
  }
  freshness_.RecordApplied("e", 2);
  EXPECT_EQ(freshness_.Staleness(), 1s);
  freshness_.RecordApplied("e", 5);
  EXPECT_EQ(freshness_.Staleness(), 500ms);
}

TEST_F(FreshnessTest, ReplicaThatNeverCatchesUpIsProvenStepByStep) {
  freshness_.RecordApplied("e", 89);
  uint64_t head = 100;
  for (int i = 0; i < 1000; ++i, ++head) {
    freshness_.RecordPong(clock_.SinceBoot(), "e", head);
    freshness_.RecordApplied("e", head - 10);
    clock_.Pass(500ms);
  }
  EXPECT_EQ(freshness_.Staleness(), 11 * 500ms);
}

TEST_F(FreshnessTest, PongOfAnotherHistoryProvesNothing) {
  freshness_.RecordApplied("e", 7);
  freshness_.RecordPong(clock_.SinceBoot(), "other", 3);
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
}

TEST_F(FreshnessTest, PongFromTheFutureProvesNothing) {
  freshness_.RecordApplied("e", 7);
  freshness_.RecordPong(clock_.SinceBoot() + 1h, "e", 7);
  EXPECT_EQ(freshness_.Staleness(), std::nullopt);
}

TEST_F(FreshnessTest, JumpOfTheWallClockChangesNothing) {
  freshness_.RecordApplied("e", 7);
  freshness_.RecordPong(clock_.SinceBoot(), "e", 7);
  clock_.Pass(1s);
  clock_.wall_ms -= 3'600'000;
  EXPECT_EQ(freshness_.Staleness(), 1s);
}

struct RestartCase {
  const char* what;
  int64_t wall_passed_ms;
  std::optional<std::chrono::nanoseconds> staleness;
};
constexpr RestartCase kRestartCases[] = {
    {"a short stop", 1500, 1500ms},
    {"a long stop", 86'400'000, 24h},
    {"a wall clock that went back", -1, std::nullopt},
};

TEST(FreshnessAfterRestart, CountsByWallTimeUntilTheFirstPong) {
  for (const RestartCase& c : kRestartCases) {
    SCOPED_TRACE(c.what);
    SetClock clock;
    Freshness before(clock, 0);
    before.RecordApplied("e", 7);
    before.RecordPong(clock.SinceBoot(), "e", 7);
    const int64_t proven_ms = before.ProvenMillis() + 1;  // rounded to the past

    clock.boot = 5s;  // another boot
    clock.wall_ms += c.wall_passed_ms;
    Freshness after(clock, proven_ms);
    after.RecordApplied("e", 7);
    EXPECT_EQ(after.Staleness(), c.staleness);
    EXPECT_EQ(after.ProvenMillis(), proven_ms);
    after.RecordPong(clock.SinceBoot(), "e", 7);
    EXPECT_EQ(after.Staleness(), 0ms);
  }
}

}  // namespace
}  // namespace outport::node
