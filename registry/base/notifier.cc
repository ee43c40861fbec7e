#include "registry/base/notifier.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace outport {

uint64_t Notifier::Version() const {
  MutexLock lock(mutex_);
  return version_;
}

void Notifier::Notify() {
  std::vector<std::shared_ptr<net::steady_timer>> waiters;
  {
    MutexLock lock(mutex_);
    ++version_;
    waiters.swap(waiters_);
  }
  // Posted to the waiter's strand, so that it comes after the wait began. The timer goes along:
  // once the waiter goes on, its context may end, and nothing of it may be held here then.
  for (auto& timer : waiters) {
    const auto executor = timer->get_executor();
    net::post(executor, [timer = std::move(timer)] { timer->cancel(); });
  }
}

net::awaitable<bool> Notifier::WaitPast(uint64_t seen,
                                        std::chrono::steady_clock::time_point deadline) {
  auto timer = std::make_shared<net::steady_timer>(co_await net::this_coro::executor, deadline);
  {
    MutexLock lock(mutex_);
    if (version_ != seen) co_return true;
    waiters_.push_back(timer);
  }
  boost::system::error_code ignored;
  co_await timer->async_wait(net::redirect_error(net::use_awaitable, ignored));
  MutexLock lock(mutex_);
  std::erase(waiters_, timer);
  co_return version_ != seen;
}

}  // namespace outport
