#include "registry/base/task_group.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <stdexcept>
#include <thread>

namespace outport {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

class TaskGroupTest : public testing::Test {
 protected:
  TaskGroupTest() : guard_(context_.get_executor()), runner_([this] { context_.run(); }) {}
  ~TaskGroupTest() override {
    guard_.reset();
    runner_.join();
  }

  net::awaitable<void> Sleep(steady_clock::duration time) {
    net::steady_timer timer(co_await net::this_coro::executor, time);
    boost::system::error_code ignored;
    co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
  }

  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  std::thread runner_;
  TaskGroup tasks_{context_.get_executor(), Log::Nowhere()};
};

TEST_F(TaskGroupTest, DrainWaitsForEveryTask) {
  std::atomic<int> ended = 0;
  for (int i = 0; i < 100; ++i) {
    tasks_.Spawn([&]() -> net::awaitable<void> {
      co_await Sleep(1ms);
      ++ended;
    });
  }
  EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
  EXPECT_EQ(ended, 100);
  EXPECT_EQ(tasks_.Count(), 0u);
}

TEST_F(TaskGroupTest, DrainReportsTheDeadline) {
  tasks_.Spawn([&]() -> net::awaitable<void> { co_await Sleep(1h); });
  EXPECT_FALSE(tasks_.DrainBlocking(steady_clock::now() + 10ms));
  tasks_.Cancel();
  EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
}

TEST_F(TaskGroupTest, AnExceptionEndsOnlyItsOwnTask) {
  std::atomic<bool> other = false;
  tasks_.Spawn([]() -> net::awaitable<void> {
    throw std::runtime_error("a bug");
    co_return;
  });
  tasks_.Spawn([&]() -> net::awaitable<void> {
    co_await Sleep(1ms);
    other = true;
  });
  EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
  EXPECT_TRUE(other);
}

TEST_F(TaskGroupTest, ATasksCapturesLiveAsLongAsTheTask) {
  std::atomic<int> seen = 0;
  {
    auto value = std::make_unique<int>(42);
    tasks_.Spawn([&, value = std::move(value)]() -> net::awaitable<void> {
      co_await Sleep(5ms);
      seen = *value;
    });
  }
  EXPECT_TRUE(tasks_.DrainBlocking(steady_clock::now() + 30s));
  EXPECT_EQ(seen, 42);
}

}  // namespace
}  // namespace outport
