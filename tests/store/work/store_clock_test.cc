#include <optional>

#include "registry/records/rows.h"
#include "tests/store/work/store_clock_fixture.h"
#include "tests/support/test_name.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_F(StoreClockTest, BeginsAtTheWallTime) {
  EXPECT_EQ(store_clock_->NowMs(), clock_.WallMs());
  EXPECT_FALSE(Jumped());
  clock_.Pass(minutes(5));
  EXPECT_EQ(store_clock_->NowMs(), clock_.WallMs());
}

struct Step {
  const char* what;
  milliseconds wall_moves;
  milliseconds expected;  // the store clock afterwards
};
constexpr Step kSteps[] = {
    {"a small step forward is followed", seconds(1), minutes(2) + seconds(1)},
    {"a step of an hour is followed slowly", hours(1), minutes(4)},
    {"a longer step is ignored", hours(1) + milliseconds(1), minutes(2)},
    {"a jump of 37 hours is ignored", hours(37), minutes(2)},
    {"a small step back is ignored", -seconds(1), minutes(2)},
    {"a jump back is ignored", -hours(37), minutes(2)},
};
class StoreClockStep : public StoreClockTest, public testing::WithParamInterface<Step> {};
TEST_P(StoreClockStep, WhileItRuns) {
  clock_.StepWall(GetParam().wall_moves);
  clock_.Pass(minutes(2));
  EXPECT_EQ(Now(), minutes(2));
  Save();
  EXPECT_EQ(Now(), GetParam().expected);
  EXPECT_EQ(store_clock_->WallDifference(),
            minutes(2) + GetParam().wall_moves - GetParam().expected);
  EXPECT_FALSE(Jumped());
}
INSTANTIATE_TEST_SUITE_P(Steps, StoreClockStep, testing::ValuesIn(kSteps), kNameOfRow);

// Somebody sets the wall clock so that it is always ahead by an hour, the longest step.
TEST_F(StoreClockTest, RunsAtMostTwiceAsFastAsTimePasses) {
  const auto set_forward = [&] { clock_.StepWall(hours(1) - store_clock_->WallDifference()); };
  for (int minute = 0; minute < 60; ++minute) {
    clock_.Pass(minutes(1));
    set_forward();
    Save();
    EXPECT_EQ(SinceStep(), minutes(0));
  }
  EXPECT_EQ(Now(), hours(2));
  for (int restart = 0; restart < 60; ++restart) {
    clock_.Pass(minutes(1));
    set_forward();
    Start();
    Save();
    Save();
  }
  EXPECT_EQ(Now(), hours(4));
}

// The row is saved at 10 minutes, and the process restarts 30 seconds later without the machine.
// Then it saves the time.
constexpr Step kRestarts[] = {
    {"the time continues", {}, minutes(10) + seconds(30)},
    {"a step of a second is followed", seconds(1), minutes(10) + seconds(31)},
    {"a longer step is followed slowly", minutes(20), minutes(11)},
    {"a jump of 37 hours is ignored", hours(37), minutes(10) + seconds(30)},
    {"a jump back is ignored", -hours(37), minutes(10) + seconds(30)},
};
class StoreClockRestart : public StoreClockTest, public testing::WithParamInterface<Step> {};
TEST_P(StoreClockRestart, OfTheProcess) {
  clock_.Pass(minutes(10));
  Save();
  clock_.Pass(seconds(30));
  clock_.StepWall(GetParam().wall_moves);
  Start();
  EXPECT_EQ(Now(), minutes(10) + seconds(30));
  Save();
  EXPECT_EQ(Now(), GetParam().expected);
  EXPECT_FALSE(Jumped());
}
INSTANTIATE_TEST_SUITE_P(Restarts, StoreClockRestart, testing::ValuesIn(kRestarts), kNameOfRow);

// A store that was stopped for a weekend continues with the exact time, if its machine was on.
TEST_F(StoreClockTest, AWeekendOffIsNoJumpWhileTheMachineIsOn) {
  SaveAtStop();
  clock_.Pass(hours(63) + milliseconds(7));
  Start();
  EXPECT_EQ(Now(), hours(63) + milliseconds(7));
  EXPECT_FALSE(Jumped());
}

struct Reboots {
  const char* what;
  std::chrono::nanoseconds off;  // until the store starts, by the wall clock
  bool clean;                    // the store was stopped before
  milliseconds expected;         // the store clock when it starts
  bool jumped;
};
constexpr Reboots kReboots[] = {
    {"the wall clock is followed", minutes(10) - seconds(9), true, minutes(10), false},
    {"an hour off is followed", hours(1) - seconds(9), true, hours(1), false},
    {"more than an hour is a jump", hours(1), true, milliseconds(0), true},
    {"37 hours are a jump", hours(37), true, milliseconds(0), true},
    {"a wall clock that is behind is ignored", -hours(37), true, milliseconds(0), false},
    {"after a power cut, used times are skipped", seconds(11), false, minutes(1), false},
    {"after a power cut, behind", -hours(37), false, minutes(1), false},
    {"after a power cut, ahead", minutes(10) - seconds(9), false, minutes(10), false},
    {"after a power cut, a jump", hours(37), false, minutes(1), true},
};
class StoreClockReboot : public StoreClockTest, public testing::WithParamInterface<Reboots> {};
TEST_P(StoreClockReboot, OfTheMachine) {
  if (GetParam().clean) SaveAtStop();
  if (!GetParam().clean) Save();
  Reboot(GetParam().off);
  EXPECT_EQ(Now(), GetParam().expected);
  EXPECT_EQ(Jumped(), GetParam().jumped);
  clock_.Pass(minutes(3));
  EXPECT_EQ(Now(), GetParam().expected + minutes(3));
}
INSTANTIATE_TEST_SUITE_P(Reboots, StoreClockReboot, testing::ValuesIn(kReboots), kNameOfRow);

TEST_F(StoreClockTest, AcceptsTheWallClockAfterAJump) {
  SaveAtStop();
  Reboot(hours(37));
  EXPECT_EQ(store_clock_->Jump(), hours(37) + seconds(9));
  clock_.Pass(minutes(2));
  Accept();
  EXPECT_FALSE(Jumped());
  EXPECT_EQ(store_clock_->NowMs(), clock_.WallMs());
  EXPECT_EQ(store_clock_->WallDifference(), milliseconds(0));
  Start();
  EXPECT_EQ(store_clock_->NowMs(), clock_.WallMs());
  EXPECT_FALSE(Jumped());
}

TEST_F(StoreClockTest, AJumpWaitsAcrossRestarts) {
  SaveAtStop();
  Reboot(hours(37));
  Save();
  Start();
  EXPECT_EQ(store_clock_->Jump(), hours(37) + seconds(9));
  SaveAtStop();
  Reboot(minutes(1));
  EXPECT_TRUE(Jumped());
  EXPECT_LT(Now(), minutes(3));
}

// The clock of the machine was wrong when it started, and was set right later.
TEST_F(StoreClockTest, AJumpEndsWhenTheClocksAgreeAgain) {
  SaveAtStop();
  Reboot(hours(37));
  clock_.Pass(minutes(1));
  Save();
  EXPECT_TRUE(Jumped());
  clock_.StepWall(-hours(37) + minutes(5));
  clock_.Pass(minutes(6));
  Save();
  EXPECT_FALSE(Jumped());
  EXPECT_EQ(store_clock_->NowMs(), clock_.WallMs());
  Start();
  EXPECT_FALSE(Jumped());
}

TEST_F(StoreClockTest, AcceptsAWallClockThatJumpedWhileItRan) {
  clock_.StepWall(hours(37));
  EXPECT_EQ(Now(), milliseconds(0));
  EXPECT_EQ(store_clock_->WallDifference(), hours(37));
  Accept();
  EXPECT_EQ(Now(), hours(37));
}

TEST_F(StoreClockTest, DoesNotAcceptAWallClockThatIsBehind) {
  clock_.Pass(minutes(1));
  clock_.StepWall(-hours(2));
  Accept();
  EXPECT_EQ(Now(), minutes(1));
  EXPECT_EQ(store_clock_->WallDifference(), -hours(2));
}

TEST_F(StoreClockTest, WarnsUntilTheClocksAgree) {
  EXPECT_FALSE(store_clock_->Warning().has_value());
  clock_.StepWall(-hours(2));
  EXPECT_TRUE(store_clock_->Warning()->contains("2 h 0 min behind"));
  clock_.StepWall(hours(39));
  EXPECT_TRUE(store_clock_->Warning()->contains("37 h 0 min ahead"));
  SaveAtStop();
  Reboot(minutes(1));
  EXPECT_TRUE(store_clock_->Warning()->contains("garbage collection waits"));
  EXPECT_TRUE(store_clock_->Warning()->contains("--accept-clock"));
  Accept();
  EXPECT_FALSE(store_clock_->Warning().has_value());
}

TEST_F(StoreClockTest, TellsHowLongAgoItStepped) {
  Save();
  clock_.StepWall(seconds(1));
  clock_.Pass(minutes(1));
  Save();
  EXPECT_EQ(Now(), minutes(1) + seconds(1));
  EXPECT_EQ(SinceStep(), std::nullopt) << "a small step";
  clock_.StepWall(minutes(59));
  clock_.Pass(hours(1));
  EXPECT_EQ(SinceStep(), std::nullopt) << "not yet";
  Save();
  EXPECT_EQ(SinceStep(), minutes(0));
  clock_.Pass(minutes(20));
  Save();
  EXPECT_EQ(SinceStep(), minutes(20));
  Start();
  EXPECT_EQ(SinceStep(), minutes(20)) << "a restart does not end the wait";
  Accept();
  EXPECT_EQ(SinceStep(), minutes(20)) << "the clocks agree";
  clock_.StepWall(hours(37));
  Accept();
  EXPECT_EQ(SinceStep(), minutes(0));
}

TEST_F(StoreClockTest, AStepAfterAStartCounts) {
  Save();
  clock_.Pass(minutes(5));
  Start();
  Save();
  EXPECT_EQ(SinceStep(), std::nullopt);
  clock_.StepWall(minutes(20));
  clock_.Pass(minutes(5));
  Start();
  EXPECT_EQ(SinceStep(), std::nullopt) << "no row has the step yet";
  Save();
  EXPECT_EQ(SinceStep(), minutes(0));
}

// Nobody knows how much of the difference is time that has passed.
TEST_F(StoreClockTest, ARebootThatMovesTheClockIsAStep) {
  SaveAtStop();
  Reboot(-hours(2));
  EXPECT_EQ(SinceStep(), std::nullopt) << "the wall clock is behind";
  SaveAtStop();
  Reboot(hours(2) + minutes(10));
  EXPECT_EQ(SinceStep(), minutes(0));
  clock_.Pass(minutes(30));
  SaveAtStop();
  Reboot(-hours(2));
  EXPECT_EQ(SinceStep(), minutes(0)) << "how long ago the step was is not known any more";
}

// A container may have a time since boot of its own.
TEST_F(StoreClockTest, ATimeSinceBootBeforeThatOfTheRowIsAnotherBoot) {
  SaveAtStop();
  clock_.Reboot(minutes(5));
  Start();
  EXPECT_EQ(Now(), minutes(5) + seconds(9));
}

// Only CLOCK_BOOTTIME moves, as in a container with an offset of its own.
TEST_F(StoreClockTest, ATimeSinceBootThatPassesTheWallClockIsAnotherBoot) {
  const auto move_boot = [&](std::chrono::nanoseconds by) {
    clock_.Pass(by);
    clock_.StepWall(-by);
  };
  SaveAtStop();
  move_boot(hours(1000));
  Start();
  EXPECT_EQ(Now(), milliseconds(0));
  EXPECT_FALSE(Jumped());
  clock_.Pass(minutes(10));
  Save();
  move_boot(hours(1) + seconds(1));
  Start();
  EXPECT_EQ(Now(), minutes(11)) << "the process may have used the times up to the next Save()";
  SaveAtStop();
  move_boot(minutes(30));
  Start();
  EXPECT_EQ(Now(), minutes(41))
      << "nobody can tell such a difference from a wall clock that is slow";
}

TEST_F(StoreClockTest, RefusesACorruptRow) {
  const auto transaction = meta_.Begin();
  ASSERT_TRUE(transaction->Put(keys::kClock, "\xff").has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  const Result<void> loaded = StoreClock(clock_, boot_id_).Load(meta_);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace outport::store
