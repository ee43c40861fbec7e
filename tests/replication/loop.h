#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/strand.hpp>
#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/clock.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/support/temporary_folder.h"

namespace outport {

namespace net = boost::asio;
using namespace std::chrono_literals;

// A context that runs coroutines.
class Loop {
 public:
  Loop() : guard_(context_.get_executor()) {
    for (int i = 0; i < 2; ++i) threads_.emplace_back([this] { context_.run(); });
  }
  ~Loop() {
    guard_.reset();
    context_.stop();
    for (std::thread& thread : threads_) thread.join();
  }
  net::any_io_executor executor() { return context_.get_executor(); }

  // Runs a coroutine on a strand and returns its result.
  template <class Work>
  auto RunToEnd(Work work) {
    using Value = typename std::invoke_result_t<Work&>::value_type;
    auto promise = std::make_shared<std::promise<Value>>();  // shared with the coroutine
    auto run = [&work, promise]() -> net::awaitable<void> { promise->set_value(co_await work()); };
    auto done = [promise](const std::exception_ptr& exception) {
      if (exception != nullptr) promise->set_exception(exception);
    };
    auto future = promise->get_future();
    net::co_spawn(net::make_strand(context_), std::move(run), std::move(done));
    return future.get();
  }

 private:
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  std::vector<std::thread> threads_;
};

// The machine's clock plus an offset that the test sets.
class ShiftedClock final : public Clock {
 public:
  std::chrono::nanoseconds SinceBoot() const override {
    if (broken_ && std::this_thread::get_id() != owner_) throw std::runtime_error("no time");
    return system_.SinceBoot() + shift_.load();
  }
  std::chrono::system_clock::time_point Wall() const override {
    return system_.Wall() + shift_.load();
  }
  void Advance(std::chrono::nanoseconds by) { shift_ = shift_.load() + by; }
  // Threads other than the test's get an exception for the time since the boot.
  void BreakElsewhere(bool broken) { broken_ = broken; }

 private:
  const std::thread::id owner_ = std::this_thread::get_id();
  std::atomic<bool> broken_ = false;
  SystemClock system_;
  std::atomic<std::chrono::nanoseconds> shift_ = 0ns;
};

// Opens the metadata in `folder`; creates the folder if needed.
inline std::unique_ptr<MetaStore> OpenMeta(const std::filesystem::path& folder,
                                           rocksdb::Env* env = nullptr) {
  std::filesystem::create_directories(folder / "meta");
  return OpenRocksMetaStore({.folder = folder / "meta", .env = env}, Log::Nowhere()).value();
}

// Waits for the condition. False if it does not hold within the limit.
inline bool Eventually(const std::function<bool()>& condition,
                       std::chrono::seconds limit = std::chrono::seconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

}  // namespace outport
