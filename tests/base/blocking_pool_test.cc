#include "registry/base/blocking_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

#include "tests/support/full_pool.h"
#include "tests/support/test_latch.h"

namespace outport {
namespace {

// The context outlives the pools: a pool's thread may hold a caller's executor for a moment after
// it resumed the caller.
class BlockingPoolTest : public testing::Test {
 protected:
  template <class T>
  T RunToEnd(net::awaitable<T> work) {
    auto strand = net::make_strand(context_);
    std::future<T> result = net::co_spawn(strand, std::move(work), boost::asio::use_future);
    context_.restart();
    context_.run();
    return result.get();
  }

  net::io_context context_;
};

TEST_F(BlockingPoolTest, RunsWorkElsewhereAndResumesHere) {
  BlockingPool pool("test", 2, 10);
  auto work = [&]() -> net::awaitable<Result<std::string>> {
    const auto here = std::this_thread::get_id();
    auto job = [here]() -> Result<std::string> {
      if (std::this_thread::get_id() == here) return Error{ErrorCode::kInternal, "same thread"};
      return std::string("done");
    };
    auto result = co_await Blocking(pool, job);
    EXPECT_EQ(std::this_thread::get_id(), here);
    co_return result;
  };
  const Result<std::string> result = RunToEnd(work());
  ASSERT_TRUE(result.has_value()) << result.error().message;
  EXPECT_EQ(*result, "done");
}

TEST_F(BlockingPoolTest, AFullQueueRejectsAtOnce) {
  TestLatch started;
  TestLatch release;
  BlockingPool pool("test", 1, 1);
  ASSERT_TRUE(pool.Post([&] {
    started.CountDown();
    release.Wait();
  }));
  started.Wait();
  ASSERT_TRUE(pool.Post([] {})) << "the queue has one slot";
  auto work = [&]() -> net::awaitable<Result<void>> {
    auto job = []() -> Result<void> { return {}; };
    co_return co_await Blocking(pool, job);
  };
  const Result<void> rejected = RunToEnd(work());
  ASSERT_FALSE(rejected.has_value());
  EXPECT_EQ(rejected.error().code, ErrorCode::kTooManyRequests);
  release.CountDown();
}

TEST_F(BlockingPoolTest, WorkInProgressIsQueuedWhereNewWorkIsRejected) {
  BlockingPool pool("test", 1, 2);
  FullPool full(pool, 1);
  ASSERT_FALSE(pool.Post([] {}));
  std::atomic<size_t> ran = 0;
  size_t queued = 0;
  while (pool.Post([&] { ++ran; }, BlockingPool::Admission::kInProgress)) ++queued;
  EXPECT_EQ(queued, 2 * BlockingPool::kInProgressFactor - 2) << "work in progress has a limit too";
  full.Release();
  pool.Stop();
  EXPECT_EQ(ran, queued);
}

TEST_F(BlockingPoolTest, TheWorksDataIsReleasedBeforeTheCallerResumes) {
  BlockingPool pool("test", 1, 10);
  auto work = [&]() -> net::awaitable<bool> {
    for (int i = 0; i < 2000; ++i) {
      auto owned = std::make_shared<int>(i);
      const std::weak_ptr<int> watched = owned;
      auto job = [owned = std::move(owned)]() -> Result<int> { return *owned; };
      const Result<int> done = co_await Blocking(pool, std::move(job));
      if (!done.has_value() || !watched.expired()) co_return false;
    }
    co_return true;
  };
  EXPECT_TRUE(RunToEnd(work()));
}

TEST_F(BlockingPoolTest, AnExceptionIsAnErrorOfTheCaller) {
  BlockingPool pool("test", 1, 10);
  auto work = [&]() -> net::awaitable<Result<int>> {
    auto job = []() -> Result<int> { throw std::runtime_error("no such luck"); };
    co_return co_await Blocking(pool, job);
  };
  const Result<int> result = RunToEnd(work());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_EQ(result.error().message, "the work threw an exception: no such luck");
}

TEST_F(BlockingPoolTest, AnExceptionEndsOnlyTheWorkThatThrewIt) {
  BlockingPool pool("test", 1, 10);
  ASSERT_TRUE(pool.Post([] { throw std::runtime_error("a bug"); }));
  std::promise<void> ran;
  ASSERT_TRUE(pool.Post([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST_F(BlockingPoolTest, StopRunsWhatIsQueued) {
  std::atomic<int> ran = 0;
  BlockingPool pool("test", 2, 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Post([&] { ++ran; }));
  pool.Stop();
  EXPECT_EQ(ran, 100);
  EXPECT_FALSE(pool.Post([] {}));
}

TEST_F(BlockingPoolTest, ManyCoroutinesShareIt) {
  BlockingPool pool("test", 4, 1000);
  std::atomic<int> sum = 0;
  for (int i = 1; i <= 500; ++i) {
    auto work = [&, i]() -> net::awaitable<void> {
      auto job = [i]() -> Result<int> { return i; };
      const Result<int> n = co_await Blocking(pool, job);
      sum += *n;
    };
    net::co_spawn(net::make_strand(context_), work, [](std::exception_ptr) {});
  }
  std::thread second([&] { context_.run(); });
  context_.run();
  second.join();
  EXPECT_EQ(sum, 500 * 501 / 2);
}

Holder User(const std::string& name) { return {.kind = HolderKind::kUser, .name = name}; }

TEST_F(BlockingPoolTest, OneHolderLeavesThreadsToOthers) {
  BlockingPool pool("test", 4, 100);
  TestLatch release;
  std::atomic<int> running = 0;
  for (int i = 0; i < 10; ++i) {
    const auto block = [&] {
      ++running;
      release.Wait();
    };
    ASSERT_TRUE(pool.Post(User("hog"), {.run = block}));
  }
  ASSERT_TRUE(WaitUntil([&] { return running == 2; }));
  auto work = [&]() -> net::awaitable<Result<int>> {
    auto job = []() -> Result<int> { return 7; };
    co_return co_await Blocking(pool, User("other"), job);
  };
  EXPECT_EQ(RunToEnd(work()).value_or(0), 7) << "a thread is free";
  EXPECT_EQ(running, 2);
  release.CountDown();
  pool.Stop();
  EXPECT_EQ(running, 10) << "Stop() runs what is queued";
}

TEST_F(BlockingPoolTest, AFullQueueEvictsNewWorkOfTheHolderThatHasMost) {
  TestLatch started;
  TestLatch release;
  BlockingPool pool("test", 1, 4);
  ASSERT_TRUE(pool.Post([&] {
    started.CountDown();
    release.Wait();
  }));
  started.Wait();
  int rejected_of_hog = 0;
  std::atomic<int> done_of_hog = 0;
  const auto hog = [&]() -> net::awaitable<void> {
    auto job = [&]() -> Result<void> {
      ++done_of_hog;
      return {};
    };
    const Result<void> result = co_await Blocking(pool, User("hog"), job);
    if (!result.has_value() && result.error().code == ErrorCode::kTooManyRequests) {
      ++rejected_of_hog;
    }
  };
  std::optional<Result<int>> newcomer;
  const auto come = [&]() -> net::awaitable<void> {
    auto job = []() -> Result<int> { return 7; };
    newcomer = co_await Blocking(pool, User("new"), job);
  };
  const auto check = [](const std::exception_ptr& e) { EXPECT_EQ(e, nullptr); };
  for (int i = 0; i < 5; ++i) net::co_spawn(context_, hog, check);
  context_.poll();
  EXPECT_EQ(rejected_of_hog, 1) << "the queue has four slots";
  net::co_spawn(context_, come, check);
  context_.poll();
  EXPECT_EQ(rejected_of_hog, 2) << "the newest piece made room";
  release.CountDown();
  context_.run();
  pool.Stop();
  EXPECT_EQ(done_of_hog, 3);
  ASSERT_TRUE(newcomer.has_value() && newcomer->has_value());
  EXPECT_EQ(**newcomer, 7);
}

TEST_F(BlockingPoolTest, WorkInProgressIsNotEvicted) {
  BlockingPool pool("test", 1, 2);
  TestLatch started;
  TestLatch release;
  ASSERT_TRUE(pool.Post([&] {
    started.CountDown();
    release.Wait();
  }));
  started.Wait();
  std::atomic<int> ran = 0;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(
        pool.Post(User("hog"), {.run = [&] { ++ran; }}, BlockingPool::Admission::kInProgress));
  }
  EXPECT_FALSE(pool.Post(User("new"), {.run = [] {}}));
  release.CountDown();
  pool.Stop();
  EXPECT_EQ(ran, 5);
}

}  // namespace
}  // namespace outport
