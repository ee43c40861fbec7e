#include "registry/base/blocking_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <latch>
#include <stdexcept>
#include <string>
#include <thread>

namespace outport {
namespace {

// Runs one coroutine to its end on a context of its own.
template <class T>
T RunToEnd(net::awaitable<T> work) {
  net::io_context context;
  auto strand = net::make_strand(context);
  std::future<T> result = net::co_spawn(strand, std::move(work), boost::asio::use_future);
  context.run();
  return result.get();
}

TEST(BlockingPool, RunsWorkElsewhereAndResumesHere) {
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

TEST(BlockingPool, AFullQueueRefusesAtOnce) {
  std::latch started(1);
  std::latch release(1);
  BlockingPool pool("test", 1, 1);
  ASSERT_TRUE(pool.Post([&] {
    started.count_down();
    release.wait();
  }));
  started.wait();
  ASSERT_TRUE(pool.Post([] {})) << "one may wait";
  auto work = [&]() -> net::awaitable<Result<void>> {
    auto job = []() -> Result<void> { return {}; };
    co_return co_await Blocking(pool, job);
  };
  const Result<void> refused = RunToEnd(work());
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  release.count_down();
}

TEST(BlockingPool, WhatTheWorkOwnsIsFreeBeforeTheCallerGoesOn) {
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

TEST(BlockingPool, AnExceptionIsAnErrorOfTheOneWhoAsked) {
  BlockingPool pool("test", 1, 10);
  auto work = [&]() -> net::awaitable<Result<int>> {
    auto job = []() -> Result<int> { throw std::runtime_error("no such luck"); };
    co_return co_await Blocking(pool, job);
  };
  const Result<int> result = RunToEnd(work());
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInternal);
  EXPECT_EQ(result.error().message, "an exception: no such luck");
}

TEST(BlockingPool, AnExceptionEndsOnlyTheWorkThatThrewIt) {
  BlockingPool pool("test", 1, 10);
  ASSERT_TRUE(pool.Post([] { throw std::runtime_error("a bug"); }));
  std::promise<void> ran;
  ASSERT_TRUE(pool.Post([&] { ran.set_value(); }));
  EXPECT_EQ(ran.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(BlockingPool, StopRunsWhatIsQueued) {
  std::atomic<int> ran = 0;
  BlockingPool pool("test", 2, 100);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(pool.Post([&] { ++ran; }));
  pool.Stop();
  EXPECT_EQ(ran, 100);
  EXPECT_FALSE(pool.Post([] {}));
}

TEST(BlockingPool, ManyCoroutinesShareIt) {
  BlockingPool pool("test", 4, 1000);
  net::io_context context;
  std::atomic<int> sum = 0;
  for (int i = 1; i <= 500; ++i) {
    auto work = [&, i]() -> net::awaitable<void> {
      auto job = [i]() -> Result<int> { return i; };
      const Result<int> n = co_await Blocking(pool, job);
      sum += *n;
    };
    net::co_spawn(net::make_strand(context), work, [](std::exception_ptr) {});
  }
  std::thread second([&] { context.run(); });
  context.run();
  second.join();
  EXPECT_EQ(sum, 500 * 501 / 2);
}

}  // namespace
}  // namespace outport
