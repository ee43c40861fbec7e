#include "store/change_rate.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/store/content/content_fixture.h"
#include "tests/support/io_thread.h"
#include "tests/support/manual_clock.h"

namespace outport::store {
namespace {

Caller CallerOf(const std::string& user) {
  return {.user = user,
          .certificate_name = "desktop",
          .address = "127.0.0.1",
          .holder = {.kind = HolderKind::kUser, .name = user},
          .request_id = "1"};
}

class ChangeRateTest : public testing::Test {
 protected:
  ~ChangeRateTest() override { io_.Stop(); }

  Result<void> Change(ChangeRate& rate, const Caller& caller, size_t changes = 1) {
    return io_.Await(rate.AwaitChange(caller, changes));
  }
  double Refusals(const std::string& what) {
    return metrics_.Counter("outport_share_refusals_total", "", {{"what", what}}).Value();
  }

  Metrics metrics_;
  ManualClock clock_;
  IoThread io_;
  const Caller ann_ = CallerOf("ann");
  const Caller bob_ = CallerOf("bob");
};

TEST_F(ChangeRateTest, AHolderHasABurstAndThenARate) {
  // So slow that a wait would be longer than anybody waits.
  ChangeRate rate(clock_, metrics_, {.per_second = 0.1, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Change(rate, ann_).has_value());
  const Result<void> rejected = Change(rate, ann_);
  ASSERT_FALSE(rejected.has_value());
  EXPECT_EQ(rejected.error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(rejected.error().retry_after_seconds, 10);
  EXPECT_TRUE(rejected.error().message.contains("user:ann")) << rejected.error().message;
  EXPECT_TRUE(rejected.error().message.contains("changes.max_rate")) << rejected.error().message;
  EXPECT_EQ(Refusals("changes"), 1);
  EXPECT_TRUE(Change(rate, bob_).has_value()) << "each holder has a rate of its own";
  clock_.Advance(std::chrono::seconds(10));
  EXPECT_TRUE(Change(rate, ann_).has_value());
}

TEST_F(ChangeRateTest, APushWithManyTagsIsManyChanges) {
  ChangeRate rate(clock_, metrics_, {.per_second = 0.1, .burst = 10});
  EXPECT_TRUE(Change(rate, ann_, 9).has_value());
  EXPECT_FALSE(Change(rate, ann_, 2).has_value());
  EXPECT_TRUE(Change(rate, ann_, 1).has_value());
}

TEST_F(ChangeRateTest, AHolderThatIsALittleTooFastOnlyWaits) {
  ChangeRate rate(clock_, metrics_, {.per_second = 1000, .burst = 1});
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(Change(rate, ann_).has_value());
  EXPECT_EQ(Refusals("changes"), 0);
}

TEST_F(ChangeRateTest, I6AUserWhoIsRevokedWhileItWaitsMakesNoChange) {
  ChangeRate rate(clock_, metrics_, {.per_second = 1000, .burst = 1});
  Caller revoked = ann_;
  revoked.recheck = []() -> Result<void> {
    return Error{ErrorCode::kUnauthorized, "the user was removed"};
  };
  ASSERT_TRUE(Change(rate, ann_).has_value());
  EXPECT_EQ(CodeOf(Change(rate, revoked)), ErrorCode::kUnauthorized);
}

TEST_F(ChangeRateTest, NewRepositoriesCountOnce) {
  ChangeRate rate(clock_, metrics_, {.new_repositories_per_hour = 2});
  const auto admit = [&](const Caller& caller, const char* repository) {
    return rate.AdmitRepository(caller.holder, Repo(repository));
  };
  for (int layer = 0; layer < 5; ++layer) EXPECT_TRUE(admit(ann_, "a").has_value());
  EXPECT_TRUE(admit(ann_, "b").has_value());
  const Result<void> rejected = admit(ann_, "c");
  ASSERT_FALSE(rejected.has_value());
  EXPECT_EQ(rejected.error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(rejected.error().retry_after_seconds, 1800);
  EXPECT_EQ(Refusals("new repositories"), 1);
  EXPECT_TRUE(admit(ann_, "a").has_value()) << "its pushes go on";
  EXPECT_TRUE(admit(bob_, "c").has_value());
  clock_.Advance(std::chrono::minutes(30));
  EXPECT_TRUE(admit(ann_, "c").has_value());
}

}  // namespace
}  // namespace outport::store
