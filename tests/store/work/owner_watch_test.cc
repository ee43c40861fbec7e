#include "store/work/owner_watch.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/memory_meta_store.h"
#include "tests/support/split_clock.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class OwnerWatchTest : public testing::Test {
 protected:
  OwnerWatchTest() { Renew(); }

  void Renew() { ASSERT_TRUE(other_.Renew().has_value()); }
  bool HasEnded(const std::string& id) {
    const Result<bool> ended = watch_.HasEnded(id);
    EXPECT_TRUE(ended.has_value()) << ended.error().message;
    return ended.value_or(false);
  }

  SplitClock clock_;
  StoreClock store_clock_{clock_, "boot"};
  MemoryMetaStore meta_;
  Owner me_{meta_, store_clock_, Owner::Access::kShared};
  Owner other_{meta_, store_clock_, Owner::Access::kShared};
  OwnerWatch watch_{meta_, me_, clock_};
};

TEST_F(OwnerWatchTest, AnOwnerHasEndedWhenItsLeaseWasExpiredForTheMargin) {
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(Owner::kDuration);
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(OwnerWatch::kMargin - seconds(1));
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(seconds(1));
  EXPECT_TRUE(HasEnded(other_.id()));
}

// The watch looks seldom, and the lease has expired again at the next look.
TEST_F(OwnerWatchTest, ARenewalBetweenTwoLooksBeginsTheMarginAgain) {
  clock_.Pass(Owner::kDuration);
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(seconds(1));
  Renew();
  clock_.Pass(Owner::kDuration + OwnerWatch::kMargin);
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(OwnerWatch::kMargin);
  EXPECT_TRUE(HasEnded(other_.id()));
  Renew();
  EXPECT_FALSE(HasEnded(other_.id()));
}

TEST_F(OwnerWatchTest, AProcessThatStoppedHasEndedAfterTheMargin) {
  ASSERT_TRUE(other_.Release().has_value());
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(OwnerWatch::kMargin);
  EXPECT_TRUE(HasEnded(other_.id()));
}

// An administrator accepts a wall clock that is ahead. So all leases seem to be over.
TEST_F(OwnerWatchTest, AStepOfTheClockEndsNobody) {
  clock_.StepWall(minutes(50));
  ASSERT_TRUE(store_clock_.Accept(meta_).has_value());
  EXPECT_TRUE(me_.IsDead(other_.id()).value());
  EXPECT_FALSE(HasEnded(other_.id()));
  clock_.Pass(Owner::kRenewPeriod);
  Renew();
  EXPECT_FALSE(HasEnded(other_.id()));
}

TEST_F(OwnerWatchTest, ThisProcessAndNobodyHaveNotEnded) {
  for (int look = 0; look < 2; ++look) {
    EXPECT_FALSE(HasEnded(me_.id()));
    EXPECT_FALSE(HasEnded(""));
    clock_.Pass(hours(1));
  }
}

TEST_F(OwnerWatchTest, BeyondItsLimitOtherOwnersWait) {
  for (size_t i = 0; i < OwnerWatch::kOwners; ++i) HasEnded("ended" + std::to_string(i));
  HasEnded("late");
  clock_.Pass(OwnerWatch::kMargin);
  EXPECT_TRUE(HasEnded("ended0"));
  EXPECT_FALSE(HasEnded("late"));
  clock_.Pass(OwnerWatch::kForget);
  EXPECT_FALSE(HasEnded("late")) << "now the watch knows it";
  clock_.Pass(OwnerWatch::kMargin);
  EXPECT_TRUE(HasEnded("late"));
}

}  // namespace
}  // namespace outport::store
