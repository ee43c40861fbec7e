#include "store/admin/rate_limit.h"

#include <gtest/gtest.h>

namespace outport::store {
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
  RateLimit limit(clock, {.each = {1, 0.001}, .all = {100, 100}, .addresses = 2});
  EXPECT_TRUE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("b"));
  EXPECT_FALSE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("c"));  // b is dropped
  EXPECT_FALSE(limit.Admit("a"));
  EXPECT_TRUE(limit.Admit("b"));
}

}  // namespace
}  // namespace outport::store
