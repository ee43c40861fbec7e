#include "registry/base/shares.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <deque>
#include <future>
#include <map>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "tests/support/manual_clock.h"

namespace outport {
namespace {

using namespace std::chrono_literals;

Holder User(const std::string& name) { return {.kind = HolderKind::kUser, .name = name}; }
Holder User(int number) { return User("user" + std::to_string(number)); }

class SharesTest : public testing::Test {
 protected:
  using Holdings = std::vector<Shares::Holding>;

  // The shares live longer than what the test takes.
  Shares& Of(uint64_t capacity, uint64_t least = 0) {
    return all_.emplace_back(
        Shares::Options{
            .what = "seats", .capacity = capacity, .least = least, .fix = "leave a seat"},
        metrics_, clock_, Log::Nowhere());
  }
  // Takes seats one by one until one is refused.
  static Holdings TakeAll(Shares& shares, const Holder& holder) {
    Holdings taken;
    for (;;) {
      Result<Shares::Holding> one = shares.Take(holder);
      if (!one.has_value()) return taken;
      taken.push_back(*std::move(one));
    }
  }
  // A holding of `amount` that is given back when it is asked to yield.
  void TakeYielding(Shares& shares, const Holder& holder, uint64_t amount = 1) {
    std::optional<Shares::Holding>& own = yielding_.emplace_back();
    own.emplace(*shares.Take(holder, amount));
    own->OnYield(context_.get_executor(), [&own] { own.reset(); });
  }
  double Refusals() {
    return metrics_.Counter("outport_share_refusals_total", "", {{"what", "seats"}}).Value();
  }
  template <class T>
  T Run(net::awaitable<T> work) {
    std::optional<T> done;
    auto run = [&]() -> net::awaitable<void> { done.emplace(co_await std::move(work)); };
    std::future<void> ended = net::co_spawn(context_, run, net::use_future);
    context_.restart();
    context_.run();
    ended.get();
    return *std::move(done);
  }

  Metrics metrics_;
  store::ManualClock clock_;
  net::io_context context_;
  std::deque<Shares> all_;
  std::deque<std::optional<Shares::Holding>> yielding_;
};

TEST_F(SharesTest, AHolderThatIsAloneGetsHalf) {
  Shares& shares = Of(100);
  const Holdings hog = TakeAll(shares, User("hog"));
  EXPECT_EQ(hog.size(), 50u);
  EXPECT_EQ(shares.Free(), 50u);
}

TEST_F(SharesTest, TwoHoldersThatTakeInTurnGetAThirdEach) {
  Shares& shares = Of(99);
  Holdings taken;
  for (int round = 0; round < 100; ++round) {
    for (const char* name : {"ann", "bob"}) {
      Result<Shares::Holding> one = shares.Take(User(name));
      if (one.has_value()) taken.push_back(*std::move(one));
    }
  }
  EXPECT_EQ(shares.HeldBy(User("ann")), 33u);
  EXPECT_EQ(shares.HeldBy(User("bob")), 33u);
}

TEST_F(SharesTest, TheHolderThatHasMostIsRefusedFirst) {
  Shares& shares = Of(64, 1);
  const Holdings hog = TakeAll(shares, User("hog"));
  const Holdings quiet = TakeAll(shares, User("quiet"));
  EXPECT_EQ(quiet.size(), 16u) << "half of what the hog left";
  EXPECT_FALSE(shares.Take(User("hog")).has_value());
  EXPECT_TRUE(shares.Take(User("new")).has_value());
}

TEST_F(SharesTest, AShareCountsTheAmount) {
  Shares& shares = Of(100, 10);
  EXPECT_FALSE(shares.Take(User("ann"), 51).has_value());
  Result<Shares::Holding> most = shares.Take(User("ann"), 50);
  ASSERT_TRUE(most.has_value());
  EXPECT_FALSE(most->Resize(51).has_value());
  EXPECT_EQ(most->amount(), 50u);
  ASSERT_TRUE(most->Resize(20).has_value());
  EXPECT_EQ(shares.Free(), 80u);
  ASSERT_TRUE(most->Resize(45).has_value());
  EXPECT_EQ(shares.HeldBy(User("ann")), 45u);
  EXPECT_FALSE(shares.Take(User("ann"), UINT64_MAX).has_value());
}

TEST_F(SharesTest, TheLeastIsThereUntilAllIsUsed) {
  Shares& shares = Of(10, 5);
  const Result<Shares::Holding> ann = shares.Take(User("ann"), 5);
  ASSERT_TRUE(ann.has_value());
  const Result<Shares::Holding> bob = shares.Take(User("bob"), 5);
  EXPECT_TRUE(bob.has_value()) << "5 is the least, although nothing remains free";
  EXPECT_FALSE(shares.Take(User("cleo"), 1).has_value());
}

TEST_F(SharesTest, TheRefusalSaysWhoHasWhatAndWhatToDo) {
  Shares& shares = Of(10, 1);
  const Holdings hog = TakeAll(shares, User("ann"));
  const Result<Shares::Holding> refused = shares.Take(User("ann"));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  EXPECT_EQ(refused.error().message,
            "no more seats for user:ann, which has 5 of 10 and may have 5 now: what is free is "
            "kept for others; leave a seat, or retry shortly");
  EXPECT_EQ(Refusals(), 2);
}

TEST_F(SharesTest, ANewcomerAlwaysFindsRoomAmongManyMidSizeHolders) {
  Shares& shares = Of(64, 4);
  for (int user = 0; user < 16; ++user) {
    for (int seat = 0; seat < 4; ++seat) TakeYielding(shares, User(user));
  }
  ASSERT_EQ(shares.Free(), 0u);
  Holdings newcomers;
  for (int user = 100; user < 120; ++user) {
    Result<Shares::Holding> one = Run(shares.TakeSoon(User(user)));
    ASSERT_TRUE(one.has_value()) << user << ": " << one.error().message;
    newcomers.push_back(*std::move(one));
  }
  EXPECT_EQ(Refusals(), 0);
  for (int user = 0; user < 16; ++user) {
    EXPECT_GE(shares.HeldBy(User(user)), 2u) << "the largest yields, and not always the same";
  }
}

TEST_F(SharesTest, ARetryFindsWhatWasYielded) {
  Shares& shares = Of(4, 2);
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("ann"));
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("bob"));
  EXPECT_FALSE(shares.Take(User("new")).has_value());
  EXPECT_FALSE(shares.Take(User("new")).has_value()) << "nobody yields inside of Take()";
  context_.run();
  EXPECT_EQ(shares.Free(), 1u) << "two attempts need only one seat";
  EXPECT_TRUE(shares.Take(User("new")).has_value());
}

TEST_F(SharesTest, NobodyYieldsToAHolderThatHasAsMuch) {
  Shares& shares = Of(4, 2);
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("ann"));
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("bob"));
  EXPECT_FALSE(Run(shares.TakeSoon(User("ann"), 1, 1h)).has_value()) << "does not wait in vain";
  EXPECT_EQ(shares.HeldBy(User("bob")), 2u);

  Shares& single = Of(1);
  TakeYielding(single, User("ann"));
  EXPECT_FALSE(Run(single.TakeSoon(User("bob"), 1, 1h)).has_value());
  EXPECT_EQ(single.HeldBy(User("ann")), 1u);
  yielding_.clear();
}

TEST_F(SharesTest, TheHoldingThatMovedLeastYields) {
  Shares& shares = Of(3, 3);
  for (int i = 0; i < 3; ++i) TakeYielding(shares, User("ann"));
  yielding_[0]->Moved(1'000'000);  // only at the beginning
  clock_.Advance(10s);
  yielding_[0]->Moved(10);
  yielding_[1]->Moved(5);
  yielding_[2]->Moved(1'000);
  ASSERT_TRUE(Run(shares.TakeSoon(User("new"))).has_value());
  EXPECT_TRUE(yielding_[0].has_value());
  EXPECT_FALSE(yielding_[1].has_value());
  EXPECT_TRUE(yielding_[2].has_value());
  yielding_.clear();
}

TEST_F(SharesTest, AHoldingThatDoesNotYieldInTimeIsNotCountedOn) {
  Shares& shares = Of(3, 3);
  int asked = 0;
  Holdings held;
  for (int i = 0; i < 3; ++i) {
    held.push_back(*shares.Take(User("ann")));
    held.back().OnYield(context_.get_executor(), [&asked] { ++asked; });
  }
  EXPECT_FALSE(Run(shares.TakeSoon(User("new"), 1, 1ms)).has_value());
  EXPECT_EQ(asked, 1);
  clock_.Advance(2s);
  EXPECT_FALSE(Run(shares.TakeSoon(User("new"), 1, 1ms)).has_value());
  EXPECT_EQ(asked, 2);
}

TEST_F(SharesTest, EachOfThoseWhoWaitIsPromisedAHoldingOfItsOwn) {
  Shares& shares = Of(4, 4);
  int asked = 0;
  Holdings held;
  for (int i = 0; i < 4; ++i) {
    held.push_back(*shares.Take(User("ann")));
    held.back().OnYield(context_.get_executor(), [&asked] { ++asked; });
  }
  std::vector<std::optional<Shares::Holding>> newcomers(5);
  std::vector<std::future<void>> ends;
  for (int i = 0; i < 5; ++i) {
    auto take = [&shares, &newcomers, i]() -> net::awaitable<void> {
      Result<Shares::Holding> one = co_await shares.TakeSoon(User(i), 1, 1h);
      if (one.has_value()) newcomers[i].emplace(*std::move(one));
    };
    ends.push_back(net::co_spawn(context_, std::move(take), net::use_future));
  }
  context_.poll();
  EXPECT_EQ(asked, 3) << "ann keeps as much as a newcomer gets";
  EXPECT_EQ(Refusals(), 2) << "nobody waits for what another one is promised";
  held.clear();
  context_.run();
  for (std::future<void>& end : ends) end.get();
  EXPECT_EQ(std::ranges::count_if(newcomers, [](const auto& one) { return one.has_value(); }), 3);
  EXPECT_EQ(Refusals(), 2);
}

TEST_F(SharesTest, AHoldingThatHasEndedIsNotAskedAnyMore) {
  Shares& shares = Of(2, 2);
  bool asked = false;
  std::optional<Shares::Holding> held(*shares.Take(User("ann"), 2));
  held->OnYield(context_.get_executor(), [&asked] { asked = true; });
  EXPECT_FALSE(shares.Take(User("new")).has_value());
  held.reset();
  context_.run();
  EXPECT_FALSE(asked);
}

TEST_F(SharesTest, ARekeyedHoldingCountsToItsNewHolder) {
  Shares& shares = Of(8, 1);
  const Holder network{.kind = HolderKind::kNetwork, .name = "10.1.2.3"};
  Holdings held = TakeAll(shares, network);
  ASSERT_EQ(held.size(), 4u);
  for (Shares::Holding& one : held) one.Rekey(User("ann"));
  EXPECT_EQ(shares.HeldBy(network), 0u);
  EXPECT_EQ(shares.HeldBy(User("ann")), 4u);
  EXPECT_FALSE(shares.Take(User("ann")).has_value());
  EXPECT_TRUE(shares.Take(network).has_value());
  held.clear();
  EXPECT_EQ(shares.Free(), 8u);
  EXPECT_EQ(shares.Holders(), 0u);
}

TEST_F(SharesTest, ARekeyedHoldingYieldsForItsNewHolder) {
  Shares& shares = Of(4, 2);
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("ann"));
  for (int i = 0; i < 2; ++i) TakeYielding(shares, User("bob"));
  yielding_[0]->Rekey(User("bob"));
  ASSERT_TRUE(Run(shares.TakeSoon(User("new"))).has_value());
  EXPECT_EQ(shares.HeldBy(User("bob")), 2u) << "bob had three, and yielded";
  EXPECT_EQ(shares.HeldBy(User("ann")), 1u);
  yielding_.clear();
  EXPECT_EQ(shares.Holders(), 0u);
}

TEST_F(SharesTest, AMovedHoldingIsGivenBackOnce) {
  Shares& shares = Of(10);
  std::optional<Shares::Holding> first(*shares.Take(User("ann"), 2));
  std::optional<Shares::Holding> second(*shares.Take(User("ann"), 3));
  *first = *std::move(second);
  EXPECT_EQ(shares.HeldBy(User("ann")), 3u);
  second.reset();
  EXPECT_EQ(shares.HeldBy(User("ann")), 3u);
  first.reset();
  EXPECT_EQ(shares.Free(), 10u);
}

// Random takes, resizes, rekeys and releases against a model that counts.
TEST_F(SharesTest, TheAccountsReturnToZero) {
  Shares& shares = Of(200, 5);
  std::mt19937 random(14);
  std::map<Holder, uint64_t> model;
  std::vector<std::pair<Holder, Shares::Holding>> held;
  for (int step = 0; step < 20'000; ++step) {
    const Holder who = User(static_cast<int>(random() % 12));
    const uint64_t amount = random() % 8;
    const size_t at = held.empty() ? 0 : random() % held.size();
    if (held.empty() || random() % 2 == 0) {
      Result<Shares::Holding> one = shares.Take(who, amount);
      if (!one.has_value()) continue;
      model[who] += amount;
      held.emplace_back(who, *std::move(one));
      if (random() % 2 == 0) held.back().second.OnYield(context_.get_executor(), [] {});
      continue;
    }
    auto& [holder, holding] = held[at];
    const uint64_t before = holding.amount();
    if (random() % 3 == 0) {
      if (holding.Resize(amount).has_value()) model[holder] += amount - before;
    } else if (random() % 2 == 0) {
      holding.Rekey(who);
      model[holder] -= before;
      model[who] += before;
      holder = who;
    } else {
      model[holder] -= before;
      std::swap(held[at], held.back());
      held.pop_back();
    }
    uint64_t sum = 0;
    for (const auto& [name, amount_of_name] : model) {
      ASSERT_EQ(shares.HeldBy(name), amount_of_name);
      sum += amount_of_name;
    }
    ASSERT_EQ(shares.Free(), 200 - sum);
  }
  held.clear();
  EXPECT_EQ(shares.Free(), 200u);
  EXPECT_EQ(shares.Holders(), 0u);
}

TEST_F(SharesTest, ThreadsNeverHoldMoreThanTheCapacity) {
  Shares& shares = Of(40, 2);
  std::atomic<uint64_t> used = 0;
  std::atomic<bool> exceeded = false;
  {
    std::vector<std::jthread> threads;
    for (int user = 0; user < 4; ++user) {
      threads.emplace_back([&, user] {
        for (int turn = 0; turn < 5'000; ++turn) {
          Result<Shares::Holding> one = shares.Take(User(user % 3), 1 + turn % 15);
          if (!one.has_value()) continue;
          const uint64_t amount = one->amount();
          if ((used += amount) > 40) exceeded = true;
          one->OnYield(context_.get_executor(), [] {});
          one->Moved(1);
          one->Rekey(User((user + 1) % 3));
          used -= amount;
        }
      });
    }
  }
  EXPECT_FALSE(exceeded);
  EXPECT_EQ(shares.Free(), 40u);
  EXPECT_EQ(shares.Holders(), 0u);
}

TEST_F(SharesTest, ARefusalIsLoggedOnceAMinuteForEachHolder) {
  testing::internal::CaptureStderr();
  {
    Shares shares({.what = "seats", .capacity = 1, .least = 1, .fix = "leave a seat"}, metrics_,
                  clock_, Log::ToStandardError(LogLevel::kInfo));
    const Result<Shares::Holding> only = shares.Take(User("holder"));
    for (int i = 0; i < 10; ++i) EXPECT_FALSE(shares.Take(User("ann")).has_value());
    EXPECT_FALSE(shares.Take(User("bob")).has_value());
    clock_.Advance(61s);
    EXPECT_FALSE(shares.Take(User("ann")).has_value());
    for (int i = 0; i < 5'000; ++i) EXPECT_FALSE(shares.Take(User(i)).has_value());
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const auto count = [&log](const std::string& text) {
    size_t found = 0;
    for (size_t at = log.find(text); at != std::string::npos; at = log.find(text, at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count("\"holder\":\"user:ann\""), 2u) << log;
  EXPECT_EQ(count("\"holder\":\"user:bob\""), 1u) << log;
  EXPECT_GT(count("request rejected: share used up"), 100u);
  EXPECT_LT(count("request rejected: share used up"), 300u) << "the log is bounded";
}

TEST(Holder, HasAText) {
  EXPECT_EQ(ToString(User("ann")), "user:ann");
  EXPECT_EQ(ToString(Holder{.kind = HolderKind::kCertificate, .name = "ci"}), "certificate:ci");
  EXPECT_EQ(ToString(Holder{.kind = HolderKind::kNetwork, .name = "10.1.2.3"}), "network:10.1.2.3");
  EXPECT_EQ(ToString(Holder{.kind = HolderKind::kNode, .name = "paris"}), "node:paris");
  EXPECT_EQ(ToString(Holder{}), "system");
}

}  // namespace
}  // namespace outport
