#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace outport::store {

namespace net = boost::asio;

// Awaits `step()`, then waits for `period`, again and again, until the coroutine is cancelled.
// `step` is awaited to its end.
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

}  // namespace outport::store
