#include "store/content/large_writes.h"

#include <gtest/gtest.h>

#include <optional>

#include "tests/support/io_thread.h"

namespace outport::store {
namespace {

using Turn = LargeWrites::Turn;

class LargeWritesTest : public testing::Test {
 protected:
  ~LargeWritesTest() override { io_.Stop(); }

  void Configure(LargeWrites::Limits limits) { writes_.emplace(metrics_, limits); }
  // A write that has its turn from here on, until the test destroys it.
  std::optional<Turn> Take(const std::string& user) {
    Result<Turn> turn = io_.Await(writes_->AwaitTurn(user));
    EXPECT_TRUE(turn.has_value()) << turn.error().message;
    if (!turn.has_value()) return std::nullopt;
    return *std::move(turn);
  }
  std::future<Result<Turn>> Start(const std::string& user) {
    std::future<Result<Turn>> started = io_.Start(writes_->AwaitTurn(user));
    for (int i = 0; i < 10; ++i) io_.Turn();
    return started;
  }
  Error Rejection(const std::string& user) {
    const Result<Turn> turn = io_.Await(writes_->AwaitTurn(user));
    EXPECT_FALSE(turn.has_value());
    return turn.has_value() ? Error() : turn.error();
  }
  bool Waits(const std::future<Result<Turn>>& write) {
    for (int i = 0; i < 10; ++i) io_.Turn();
    return write.wait_for(std::chrono::seconds(0)) != std::future_status::ready;
  }
  double Rejected() {
    return metrics_.Counter("outport_store_large_manifest_writes_rejected_total", "").Value();
  }

  Metrics metrics_;
  std::optional<LargeWrites> writes_{std::in_place, metrics_, LargeWrites::Limits{}};
  IoThread io_;
};

TEST_F(LargeWritesTest, AUserHasOneTurnAtATimeAndDelaysNobody) {
  std::optional<Turn> first = Take("ann");
  std::future<Result<Turn>> second = Start("ann");
  EXPECT_TRUE(Waits(second));
  EXPECT_TRUE(Take("bob").has_value());
  EXPECT_TRUE(Waits(second));
  first.reset();
  EXPECT_TRUE(second.get().has_value());
  EXPECT_TRUE(Take("ann").has_value());
}

TEST_F(LargeWritesTest, AllUsersTogetherHaveFewTurnsInTheOrderOfArrival) {
  std::optional<Turn> ann = Take("ann");
  const std::optional<Turn> bob = Take("bob");
  std::future<Result<Turn>> again = Start("bob");
  std::future<Result<Turn>> carl = Start("carl");
  std::future<Result<Turn>> dora = Start("dora");
  EXPECT_TRUE(Waits(carl));
  ann.reset();
  const Result<Turn> next = carl.get();
  EXPECT_TRUE(next.has_value());
  EXPECT_TRUE(Waits(again));
  EXPECT_TRUE(Waits(dora));
}

TEST_F(LargeWritesTest, TooManyWritesOfAUserAreRejected) {
  Configure({.places_of_user = 2});
  const std::optional<Turn> first = Take("ann");
  const std::future<Result<Turn>> second = Start("ann");
  const Error rejection = Rejection("ann");
  EXPECT_EQ(rejection.code, ErrorCode::kTooManyRequests);
  EXPECT_TRUE(rejection.message.contains("user 'ann' has 2 such writes")) << rejection.message;
  EXPECT_TRUE(rejection.message.contains("one after the other")) << rejection.message;
  EXPECT_TRUE(Take("bob").has_value());
  EXPECT_EQ(Rejected(), 1.0);
}

TEST_F(LargeWritesTest, TooManyWritesOfAllUsersAreRejected) {
  Configure({.turns = 1, .places = 2});
  const std::optional<Turn> first = Take("ann");
  const std::future<Result<Turn>> second = Start("bob");
  EXPECT_EQ(Rejection("carl").code, ErrorCode::kTooManyRequests);
}

TEST_F(LargeWritesTest, AWriteWaitsForALimitedTimeAndThenLeaves) {
  Configure({.places_of_user = 2, .max_wait = std::chrono::milliseconds(1)});
  std::optional<Turn> first = Take("ann");
  EXPECT_EQ(Rejection("ann").code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(Rejection("ann").code, ErrorCode::kTooManyRequests);
  first.reset();
  EXPECT_TRUE(Take("ann").has_value());
  EXPECT_EQ(metrics_.Gauge("outport_store_large_manifest_writes", "").Value(), 0.0);
}

}  // namespace
}  // namespace outport::store
