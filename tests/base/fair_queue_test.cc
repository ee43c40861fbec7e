#include "registry/base/fair_queue.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace outport {
namespace {

using Seconds = FairQueue::Seconds;

Holder User(const std::string& name) { return {.kind = HolderKind::kUser, .name = name}; }

// Runs the pieces one after the other, and counts the time of each holder.
class FairQueueTest : public testing::Test {
 protected:
  void Push(FairQueue& queue, const std::string& user, char what = '.') {
    queue.Push(User(user), {.run = [this, what] { order_ += what; }});
  }
  std::string Step(FairQueue& queue, Seconds taken) {
    FairQueue::Next next = queue.Pop();
    next.run();
    queue.Finished(next, taken);
    used_[ToString(next.holder)] += taken.count();
    return ToString(next.holder);
  }

  std::string order_;
  std::map<std::string, double> used_;
};

TEST_F(FairQueueTest, HoldersWithEqualWorkTakeTurns) {
  FairQueue queue;
  for (const char what : {'1', '2', '3'}) Push(queue, "a", what);
  Push(queue, "b", 'x');
  for (const char what : {'y', 'z'}) Push(queue, "c", what);
  while (queue.HasNext()) Step(queue, Seconds(0.01));
  EXPECT_EQ(order_, "1xy2z3");
  EXPECT_EQ(queue.size(), 0u);
  EXPECT_EQ(queue.Lanes(), 0u) << "an empty queue remembers nobody";
}

TEST_F(FairQueueTest, LongWorkCountsByItsTime) {
  FairQueue queue;
  for (int i = 0; i < 2000; ++i) {
    Push(queue, "long");
    Push(queue, "short");
  }
  while (used_["user:long"] + used_["user:short"] < 10) {
    FairQueue::Next next = queue.Pop();
    const Seconds taken(next.holder.name == "long" ? 1 : 0.01);
    queue.Finished(next, taken);
    used_[ToString(next.holder)] += taken.count();
  }
  EXPECT_NEAR(used_["user:long"], used_["user:short"], 1.1);
}

TEST_F(FairQueueTest, ANewcomerWaitsForOnePieceAndNotForTheQueue) {
  FairQueue queue;
  for (int i = 0; i < 1000; ++i) Push(queue, "hog");
  for (int i = 0; i < 100; ++i) Step(queue, Seconds(1));
  Push(queue, "new");
  const std::string first = Step(queue, Seconds(1));
  const std::string second = Step(queue, Seconds(1));
  EXPECT_TRUE(first == "user:new" || second == "user:new") << first << ", " << second;
}

TEST_F(FairQueueTest, AnIdleHolderDoesNotCatchUp) {
  FairQueue queue;
  for (int i = 0; i < 1000; ++i) Push(queue, "busy");
  Push(queue, "idle");
  for (int i = 0; i < 100; ++i) Step(queue, Seconds(1));
  for (int i = 0; i < 100; ++i) Push(queue, "idle");
  used_.clear();
  for (int i = 0; i < 20; ++i) Step(queue, Seconds(1));
  EXPECT_NEAR(used_["user:busy"], 10, 2) << "the hundred seconds of the past do not count";
}

// A holder that always has only one piece in the queue is charged for the pieces before.
TEST_F(FairQueueTest, OnePieceAfterTheOtherIsCharged) {
  FairQueue queue;
  for (int i = 0; i < 1000; ++i) Push(queue, "steady");
  Push(queue, "again");
  for (int i = 0; i < 200; ++i) {
    const bool again = Step(queue, Seconds(1)) == "user:again";
    if (again) Push(queue, "again");
  }
  EXPECT_NEAR(used_["user:again"], 100, 2);
}

TEST_F(FairQueueTest, TheProgramItselfGetsHalf) {
  FairQueue queue;
  for (int i = 0; i < 1000; ++i) {
    queue.Push(Holder(), {.run = [] {}});
    for (const char* user : {"a", "b", "c", "d", "e"}) Push(queue, user);
  }
  for (int i = 0; i < 200; ++i) Step(queue, Seconds(1));
  EXPECT_NEAR(used_["system"], 100, 5);
  EXPECT_NEAR(used_["user:a"], 20, 3);
}

TEST_F(FairQueueTest, AHolderRunsAtMostItsLimitAtOnce) {
  FairQueue queue(2);
  for (int i = 0; i < 3; ++i) Push(queue, "hog");
  const FairQueue::Next first = queue.Pop();
  const FairQueue::Next second = queue.Pop();
  EXPECT_FALSE(queue.HasNext());
  EXPECT_EQ(queue.size(), 1u);
  Push(queue, "other");
  ASSERT_TRUE(queue.HasNext());
  const FairQueue::Next third = queue.Pop();
  EXPECT_EQ(third.holder, User("other"));
  EXPECT_FALSE(queue.HasNext());
  queue.Finished(first, Seconds(1));
  ASSERT_TRUE(queue.HasNext());
  EXPECT_EQ(queue.Pop().holder, User("hog"));
  for (int i = 0; i < 9; ++i) queue.Push(Holder(), {.run = [] {}});
  for (int i = 0; i < 9; ++i) {
    ASSERT_TRUE(queue.HasNext()) << "the limit does not apply to the program itself";
    queue.Pop();
  }
}

TEST_F(FairQueueTest, EvictsTheNewestOfTheHolderThatHasMost) {
  FairQueue queue;
  std::string refused;
  const auto push = [&](const std::string& user, char what) {
    queue.Push(User(user), {.run = [] {}, .refuse = [&refused, what] { refused += what; }});
  };
  for (const char what : {'1', '2', '3', '4'}) push("most", what);
  for (const char what : {'x', 'y'}) push("some", what);
  Push(queue, "most");  // in progress: cannot be evicted
  for (int i = 0; i < 9; ++i) queue.Push(Holder(), {.run = [] {}});
  for (int i = 0; i < 4; ++i) {
    std::optional<FairQueue::Piece> evicted = queue.Evict(User("new"));
    ASSERT_TRUE(evicted.has_value());
    evicted->refuse();
  }
  EXPECT_EQ(refused, "4321") << "the newest first";
  EXPECT_FALSE(queue.Evict(User("some")).has_value()) << "nobody has more than it would have";
  EXPECT_EQ(queue.size(), 12u);
}

TEST_F(FairQueueTest, RemembersAFewIdleHolders) {
  FairQueue queue;
  Push(queue, "stuck");
  const FairQueue::Next stuck = queue.Pop();  // runs all the time
  for (int i = 0; i < 5000; ++i) {
    Push(queue, "once" + std::to_string(i));
    Step(queue, Seconds(1));
  }
  EXPECT_LT(queue.Lanes(), 2000u);
  queue.Finished(stuck, Seconds(1));
  EXPECT_EQ(queue.Lanes(), 0u);
}

}  // namespace
}  // namespace outport
