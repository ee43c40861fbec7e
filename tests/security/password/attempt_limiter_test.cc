#include "registry/security/password/attempt_limiter.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

using std::chrono::seconds;

class AttemptLimiterTest : public testing::Test {
 protected:
  long Pause(const std::string& origin, const std::string& user) {
    return limiter_.Pause({origin, user}, now_).count();
  }
  void Fail(const std::string& origin, const std::string& user, int times = 1) {
    for (int i = 0; i < times; ++i) limiter_.RecordFailure({origin, user}, now_);
  }

  AttemptLimiter limiter_;
  AttemptLimiter::Time now_ = std::chrono::hours(1);
};

TEST_F(AttemptLimiterTest, EachFurtherFailureDoublesThePause) {
  Fail("a", "x", 10);
  EXPECT_EQ(Pause("a", "x"), 0);
  for (const long pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    Fail("a", "x");
    EXPECT_EQ(Pause("a", "y"), pause) << "for any user";
    EXPECT_EQ(Pause("b", "y"), 0);
  }
  now_ += seconds(59);
  EXPECT_EQ(Pause("a", "y"), 1);
  now_ += seconds(1);
  EXPECT_EQ(Pause("a", "y"), 0);
}

TEST_F(AttemptLimiterTest, AUserIsGuessedSlowlyFromManyAddresses) {
  for (int i = 0; i < 21; ++i) Fail("a" + std::to_string(i), "x");
  EXPECT_EQ(Pause("new", "x"), 1);
  EXPECT_EQ(Pause("new", "y"), 0);
}

TEST_F(AttemptLimiterTest, FailuresDecayWithTime) {
  Fail("a", "x", 10);
  now_ += 3 * AttemptLimiter::kForgivenessPeriod;
  Fail("a", "x", 3);
  EXPECT_EQ(Pause("a", "x"), 0);
  Fail("a", "x");
  EXPECT_EQ(Pause("a", "x"), 1);
}

TEST_F(AttemptLimiterTest, AUserThatLoggedInIsLimitedByItsOwnFailuresAlone) {
  limiter_.RecordSuccess({"a", "x"});
  Fail("a", "y", 12);
  Fail("b", "x", 22);
  EXPECT_GT(Pause("a", "z"), 0);
  EXPECT_GT(Pause("c", "x"), 0);
  EXPECT_EQ(Pause("a", "x"), 0);
  Fail("a", "x", 11);
  EXPECT_EQ(Pause("a", "x"), 1) << "its own count has a limit too";
  limiter_.RecordSuccess({"a", "x"});
  EXPECT_EQ(Pause("a", "x"), 0);
}

TEST_F(AttemptLimiterTest, IsBounded) {
  Fail("a", "x", 11);
  EXPECT_EQ(Pause("a", "y"), 1);
  for (size_t i = 0; i < AttemptLimiter::kMaxEntries; ++i) Fail("b" + std::to_string(i), "z");
  EXPECT_EQ(Pause("a", "y"), 0) << "evicted by newer entries";
}

}  // namespace
}  // namespace outport
