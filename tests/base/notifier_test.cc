#include "registry/base/notifier.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <thread>

namespace outport {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

TEST(Notifier, AWaitEndsAtItsDeadline) {
  net::io_context context;
  Notifier notifier;
  auto wait = [&]() -> net::awaitable<bool> {
    co_return co_await notifier.WaitPast(notifier.Version(), steady_clock::now() + 10ms);
  };
  auto result = net::co_spawn(context, wait, net::use_future);
  context.run();
  EXPECT_FALSE(result.get());
}

TEST(Notifier, AVersionThatHasPassedDoesNotWait) {
  net::io_context context;
  Notifier notifier;
  const uint64_t seen = notifier.Version();
  notifier.Notify();
  auto wait = [&]() -> net::awaitable<bool> {
    co_return co_await notifier.WaitPast(seen, steady_clock::now() + 1h);
  };
  auto result = net::co_spawn(context, wait, net::use_future);
  context.run();
  EXPECT_TRUE(result.get());
}

// Readers on strands follow a counter that another thread increases, as fast as possible. A lost
// wake-up would leave a reader waiting until its deadline.
TEST(Notifier, NoNotificationIsLost) {
  constexpr int kSteps = 20000;
  constexpr int kReaders = 8;
  net::io_context context;
  Notifier notifier;
  std::atomic<int> value = 0;
  std::atomic<int> arrived = 0;
  for (int i = 0; i < kReaders; ++i) {
    auto follow = [&]() -> net::awaitable<void> {
      for (;;) {
        const uint64_t seen = notifier.Version();
        if (value == kSteps) break;
        if (!co_await notifier.WaitPast(seen, steady_clock::now() + 30s)) co_return;
      }
      ++arrived;
    };
    net::co_spawn(net::make_strand(context), follow, [](std::exception_ptr) {});
  }
  std::thread runner([&] { context.run(); });
  std::thread writer([&] {
    for (int i = 0; i < kSteps; ++i) {
      ++value;
      notifier.Notify();
    }
  });
  context.run();
  runner.join();
  writer.join();
  EXPECT_EQ(arrived, kReaders);
}

}  // namespace
}  // namespace outport
