#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "registry/base/blocking_pool.h"

namespace outport::store {

// A thread that runs coroutines, and a pool for blocking work. Objects that they use outlive it.
class IoThread {
 public:
  IoThread() : work_(net::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
  ~IoThread() { Stop(); }

  // Runs `work` to its end and returns its result.
  template <class T>
  T Await(net::awaitable<T> work) {
    std::optional<T> done;
    auto run = [&]() -> net::awaitable<void> { done.emplace(co_await std::move(work)); };
    net::co_spawn(context_, run, net::use_future).get();
    return *std::move(done);
  }
  template <class T>
  std::future<T> Start(net::awaitable<T> work) {
    auto promise = std::make_shared<std::promise<T>>();
    std::future<T> result = promise->get_future();
    auto run = [](net::awaitable<T> body,
                  std::shared_ptr<std::promise<T>> completion) -> net::awaitable<void> {
      completion->set_value(co_await std::move(body));
    };
    net::co_spawn(context_, run(std::move(work), std::move(promise)), net::use_future);
    return result;
  }
  // Waits until the thread has run all handlers that are ready now.
  void Turn() { net::post(context_, net::use_future).get(); }
  static constexpr int kPoolThreads = 2;
  BlockingPool& pool() { return pool_; }
  net::any_io_executor executor() { return context_.get_executor(); }
  void Stop() {
    pool_.Stop();
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

 private:
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> work_;
  BlockingPool pool_{"disk", kPoolThreads, 100};
  std::thread thread_;
};

}  // namespace outport::store
