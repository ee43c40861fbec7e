#include "registry/base/notifier.h"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outport {

struct Notifier::Waiter {
  net::steady_timer timer;  // expires at the waiter's deadline; cancelled to wake it
};

uint64_t Notifier::Version() const {
  MutexLock lock(mutex_);
  return version_;
}

void Notifier::Notify() {
  std::vector<std::shared_ptr<Waiter>> waiters;
  {
    MutexLock lock(mutex_);
    ++version_;
    waiters.swap(waiters_);
  }
  // Post the wake-up to the waiter's strand, so that it runs after the wait has begun. The posted
  // handler owns the waiter. Do not use the waiter here after the post, because its context may end
  // as soon as the handler has run.
  for (auto& waiter : waiters) {
    const auto executor = waiter->timer.get_executor();
    net::post(executor, [waiter = std::move(waiter)] { waiter->timer.cancel(); });
  }
}

net::awaitable<bool> Notifier::WaitPast(uint64_t seen,
                                        std::chrono::steady_clock::time_point deadline) {
  net::any_io_executor executor = co_await net::this_coro::executor;
  auto waiter = std::make_shared<Waiter>(net::steady_timer(std::move(executor), deadline));
  {
    MutexLock lock(mutex_);
    if (version_ != seen) co_return true;
    waiters_.push_back(waiter);
  }
  boost::system::error_code ignored;
  co_await waiter->timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
  MutexLock lock(mutex_);
  std::erase(waiters_, waiter);
  co_return version_ != seen;
}

}  // namespace outport
