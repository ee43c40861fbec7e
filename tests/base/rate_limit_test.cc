#include "registry/base/rate_limit.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

class SetClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override { return now; }
  std::chrono::system_clock::time_point Wall() const override { return {}; }
  std::chrono::nanoseconds now{0};
};

int Admitted(RateLimit& limit, const std::string& address, int attempts) {
  int admitted = 0;
  for (int i = 0; i < attempts; ++i) admitted += limit.Admit(address) ? 1 : 0;
  return admitted;
}

TEST(RateLimit, AdmitsABurstThenARate) {
  SetClock clock;
  RateLimit limit(clock, {.each = {3, 1}, .all = {100, 100}});
  EXPECT_EQ(Admitted(limit, "a", 10), 3);
  EXPECT_EQ(Admitted(limit, "b", 10), 3) << "each address has its own bucket";
  clock.now += std::chrono::seconds(2);
  EXPECT_EQ(Admitted(limit, "a", 10), 2);
  clock.now += std::chrono::hours(1);
  EXPECT_EQ(Admitted(limit, "a", 10), 3) << "a bucket does not overflow";
}

TEST(RateLimit, LimitsAllAddressesTogether) {
  SetClock clock;
  RateLimit limit(clock, {.each = {3, 1}, .all = {5, 1}});
  EXPECT_EQ(Admitted(limit, "a", 10) + Admitted(limit, "b", 10) + Admitted(limit, "c", 10), 5);
}

TEST(RateLimit, DropsTheLeastRecentlyUsedAddress) {
  SetClock clock;
  RateLimit limit(clock, {.each = {1, 0.001}, .all = {100, 100}, .keys = 2});
  EXPECT_TRUE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("b"));
  EXPECT_FALSE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("c"));  // b is dropped
  EXPECT_FALSE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("b"));
}

TEST(RateLimit, AReservationWaitsForItsTokens) {
  using std::chrono::seconds;
  SetClock clock;
  RateLimit limit(clock, {.each = {4, 2}, .all = {100, 100}});
  EXPECT_EQ(limit.Reserve("a", 4, seconds(0)).wait, seconds(0));
  const RateLimit::Reservation first = limit.Reserve("a", 2, seconds(2));
  EXPECT_TRUE(first.granted);
  EXPECT_EQ(first.wait, seconds(1));
  const RateLimit::Reservation second = limit.Reserve("a", 2, seconds(2));
  EXPECT_TRUE(second.granted);
  EXPECT_EQ(second.wait, seconds(2)) << "after the first";
  const RateLimit::Reservation third = limit.Reserve("a", 1, seconds(2));
  EXPECT_FALSE(third.granted);
  EXPECT_EQ(third.wait, std::chrono::milliseconds(2500));
  EXPECT_TRUE(limit.Reserve("b", 1, seconds(0)).granted);
  clock.now += seconds(2);
  EXPECT_FALSE(limit.Admit("a")) << "the two reservations have used the tokens of two seconds";
  clock.now += seconds(1);
  EXPECT_TRUE(limit.Admit("a"));
}

TEST(RateLimit, ARateOfNothingGrantsItsBurstOnce) {
  SetClock clock;
  RateLimit limit(clock, {.each = {2, 0}, .all = {2, 0}});
  const RateLimit::Reservation all = limit.Reserve("a", 2, std::chrono::seconds(0));
  EXPECT_TRUE(all.granted);
  EXPECT_EQ(all.wait, std::chrono::seconds(0));
  clock.now += std::chrono::hours(1);
  EXPECT_EQ(limit.Reserve("a", 1, std::chrono::hours(1)).wait, std::chrono::hours(24));
  EXPECT_FALSE(limit.Admit("b"));
}

TEST(RateLimit, AReservationLargerThanTheBucketTakesAll) {
  SetClock clock;
  RateLimit limit(clock, {.each = {4, 2}, .all = {100, 100}});
  EXPECT_TRUE(limit.Reserve("a", 50, std::chrono::seconds(0)).granted);
  EXPECT_EQ(limit.Reserve("a", 1, std::chrono::seconds(1)).wait, std::chrono::milliseconds(500));
}

}  // namespace
}  // namespace outport
