#include "store/content/large_writes.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <optional>

#include "tests/support/io_thread.h"
#include "tests/support/test_latch.h"

namespace outport::store {
namespace {

using Turn = LargeWrites::Turn;
using std::chrono::hours;
using std::chrono::milliseconds;

class LargeWritesTest : public testing::Test {
 protected:
  ~LargeWritesTest() override { io_.Stop(); }

  void Configure(LargeWrites::Limits limits) { writes_.emplace(metrics_, limits); }
  LargeWrites::Write Of(const std::string& user, uint64_t held_bytes = 0) {
    return {.holder = {.kind = HolderKind::kUser, .name = user},
            .held_bytes = held_bytes,
            .recheck = [this] { return Access(); }};
  }
  Result<void> Access() const {
    if (!revoked_) return {};
    return Error{ErrorCode::kUnauthorized, "the user was removed"};
  }
  // A write that has its turn from here on, until the test destroys it.
  std::optional<Turn> Take(const std::string& user, uint64_t held_bytes = 0) {
    Result<Turn> turn = io_.Await(writes_->AwaitTurn(Of(user, held_bytes)));
    EXPECT_TRUE(turn.has_value()) << turn.error().message;
    if (!turn.has_value()) return std::nullopt;
    return *std::move(turn);
  }
  // A write that has entered, and has its turn or waits for it.
  std::future<Result<Turn>> Start(const std::string& user, uint64_t held_bytes = 0) {
    const double before = Writes();
    std::future<Result<Turn>> started = io_.Start(writes_->AwaitTurn(Of(user, held_bytes)));
    EXPECT_TRUE(WaitUntil([&] { return Writes() > before; })) << user;
    return started;
  }
  Error Rejection(const std::string& user, uint64_t held_bytes = 0) {
    const Result<Turn> turn = io_.Await(writes_->AwaitTurn(Of(user, held_bytes)));
    EXPECT_FALSE(turn.has_value());
    return turn.has_value() ? Error() : turn.error();
  }
  double Writes() { return metrics_.Gauge("outport_store_large_manifest_writes", "").Value(); }
  double Rejected() {
    return metrics_.Counter("outport_store_large_manifest_writes_rejected_total", "").Value();
  }

  Metrics metrics_;
  std::optional<LargeWrites> writes_{std::in_place, metrics_,
                                     LargeWrites::Limits{.max_wait = hours(1)}};
  std::atomic<bool> revoked_ = false;
  IoThread io_;
};

TEST_F(LargeWritesTest, AUserHasOneTurnAtATimeAndDelaysNobody) {
  std::optional<Turn> first = Take("ann");
  std::future<Result<Turn>> second = Start("ann");
  EXPECT_EQ(writes_->Turns(), 1U);
  EXPECT_TRUE(Take("bob").has_value());
  EXPECT_EQ(writes_->Turns(), 1U);
  first.reset();
  EXPECT_TRUE(second.get().has_value());
  EXPECT_TRUE(Take("ann").has_value());
}

TEST_F(LargeWritesTest, AllUsersTogetherHaveFewTurnsInTheOrderOfArrival) {
  std::optional<Turn> ann = Take("ann");
  std::optional<Turn> bob = Take("bob");
  std::future<Result<Turn>> again = Start("bob");
  std::future<Result<Turn>> carl = Start("carl");
  std::future<Result<Turn>> dora = Start("dora");
  EXPECT_EQ(writes_->Turns(), 2U);
  ann.reset();
  std::optional<Result<Turn>> next(carl.get());
  EXPECT_TRUE(next->has_value());
  EXPECT_EQ(writes_->Turns(), 2U) << "of bob's first write and of carl's";
  next.reset();
  EXPECT_TRUE(dora.get().has_value());
  bob.reset();
  EXPECT_TRUE(again.get().has_value());
}

TEST_F(LargeWritesTest, TooManyWritesOfAUserAreRejected) {
  Configure({.places_of_holder = 2});
  const std::optional<Turn> first = Take("ann");
  const std::future<Result<Turn>> second = Start("ann");
  const Error rejection = Rejection("ann");
  EXPECT_EQ(rejection.code, ErrorCode::kTooManyRequests);
  EXPECT_TRUE(rejection.message.contains("user:ann has 2 such writes")) << rejection.message;
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

TEST_F(LargeWritesTest, WaitingWritesOfAUserKeepFewBytes) {
  Configure({.waiting_bytes_of_holder = 100, .max_wait = hours(1)});
  std::optional<Turn> first = Take("ann", 1000);
  std::future<Result<Turn>> second = Start("ann", 60);
  EXPECT_EQ(Rejection("ann", 41).code, ErrorCode::kTooManyRequests);
  const std::future<Result<Turn>> third = Start("ann", 40);
  EXPECT_TRUE(Take("bob", 1000).has_value()) << "a write with a turn does not wait";
  EXPECT_EQ(Writes(), 3.0);
  first.reset();
  EXPECT_TRUE(second.get().has_value());
}

TEST_F(LargeWritesTest, WaitingWritesOfAllUsersKeepFewBytes) {
  Configure({.turns = 1, .waiting_bytes = 100, .max_wait = hours(1)});
  std::optional<Turn> first = Take("ann");
  const std::future<Result<Turn>> second = Start("bob", 60);
  EXPECT_EQ(Rejection("carl", 41).code, ErrorCode::kTooManyRequests);
  const std::future<Result<Turn>> third = Start("carl", 40);
  first.reset();
}

TEST_F(LargeWritesTest, OneManifestOfAnySizeMayWait) {
  const std::optional<Turn> first = Take("ann", kMaxManifestBytes);
  const std::future<Result<Turn>> second = Start("ann", kMaxManifestBytes);
  EXPECT_EQ(Writes(), 2.0);
}

TEST_F(LargeWritesTest, AWriteWaitsForALimitedTimeAndThenLeaves) {
  Configure({.places_of_holder = 2, .max_wait = milliseconds(1)});
  std::optional<Turn> first = Take("ann");
  EXPECT_EQ(Rejection("ann").code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(Rejection("ann").code, ErrorCode::kTooManyRequests);
  first.reset();
  EXPECT_TRUE(Take("ann").has_value());
  EXPECT_EQ(Writes(), 0.0);
}

TEST_F(LargeWritesTest, I6AWaitingWriteOfARevokedUserLeaves) {
  Configure({.max_wait = hours(1), .recheck_interval = milliseconds(1)});
  const std::optional<Turn> first = Take("ann");
  std::future<Result<Turn>> second = Start("ann");
  revoked_ = true;
  EXPECT_EQ(second.get().error().code, ErrorCode::kUnauthorized);
  EXPECT_EQ(Writes(), 1.0);
}

TEST_F(LargeWritesTest, I6ARevokedUserGetsNoTurn) {
  Configure({.max_wait = hours(1), .recheck_interval = hours(1)});
  std::optional<Turn> first = Take("ann");
  std::future<Result<Turn>> second = Start("ann");
  revoked_ = true;
  first.reset();
  EXPECT_EQ(second.get().error().code, ErrorCode::kUnauthorized);
  EXPECT_EQ(Rejection("ann").code, ErrorCode::kUnauthorized);
  EXPECT_EQ(writes_->Turns(), 0U);
}

TEST_F(LargeWritesTest, ACancelledWriteLeaves) {
  Configure({.max_wait = hours(1), .recheck_interval = hours(1)});
  const std::optional<Turn> first = Take("ann");
  std::optional<Result<Turn>> result;
  auto write = [&]() -> net::awaitable<void> {
    result.emplace(co_await writes_->AwaitTurn(Of("ann")));
  };
  net::cancellation_signal cancellation;
  std::future<void> second =
      net::co_spawn(io_.executor(), std::move(write),
                    net::bind_cancellation_slot(cancellation.slot(), net::use_future));
  EXPECT_TRUE(WaitUntil([&] { return Writes() == 2.0; }));
  net::post(io_.executor(), [&] { cancellation.emit(net::cancellation_type::terminal); });
  second.get();
  EXPECT_FALSE(result->has_value());
  EXPECT_EQ(Writes(), 1.0);
}

}  // namespace
}  // namespace outport::store
