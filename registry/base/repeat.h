#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "registry/base/blocking_pool.h"

namespace outport {

namespace net = boost::asio;

// Runs `co_await step()`, waits for `period`, and repeats both until the coroutine is cancelled. A
// cancellation lets a running `step` finish.
template <class Step>
net::awaitable<void> RepeatUntilCancelled(std::chrono::steady_clock::duration period, Step step) {
  co_await net::this_coro::throw_if_cancelled(false);
  net::steady_timer timer(co_await net::this_coro::executor);
  for (;;) {
    co_await step();
    const auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    timer.expires_after(period);
    const auto [error] = co_await timer.async_wait(net::as_tuple(net::use_awaitable));
    if (error) co_return;
  }
}

// Like RepeatUntilCancelled(), but runs `step` as blocking work on `pool`. If the pool is full,
// this skips the step and tries again after the next period.
template <class Step>
net::awaitable<void> RepeatBlockingUntilCancelled(std::chrono::steady_clock::duration period,
                                                  BlockingPool& pool, Step step) {
  auto turn = [&pool, &step]() -> net::awaitable<void> {
    auto run = [&step]() -> Result<void> {
      step();
      return {};
    };
    const Result<void> ran = co_await Blocking(pool, std::move(run));
    static_cast<void>(ran);  // if the pool is full, the next period retries
  };
  co_await RepeatUntilCancelled(period, std::move(turn));
}

}  // namespace outport
