#include "store/change_rate.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "registry/base/shares.h"

namespace outport::store {
namespace {

constexpr size_t kHolders = 10'000;
constexpr size_t kCountedRepositories = 10'000;
// Shorter than a node's wait for the answer to a relayed write.
constexpr std::chrono::nanoseconds kMaxWait = std::chrono::seconds(1);
constexpr std::chrono::hours kPeriod{1};
constexpr RateLimit::Rate kUnlimited = {.burst = 1e12, .per_second = 1e12};

RateLimit::Options OptionsOf(double burst, double per_second) {
  return {.each = {.burst = burst, .per_second = per_second}, .all = kUnlimited, .keys = kHolders};
}

Error Rejection(std::string reason, std::chrono::nanoseconds wait) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(wait).count();
  return Error{.code = ErrorCode::kTooManyRequests,
               .message = std::move(reason) + "; retry in " + std::to_string(seconds) + " s",
               .retry_after_seconds = static_cast<int>(seconds)};
}

}  // namespace

ChangeRate::ChangeRate(const Clock& clock, Metrics& metrics, Limits limits)
    : clock_(clock),
      limits_(limits),
      rejected_changes_(ShareRefusals(metrics, "changes")),
      rejected_repositories_(ShareRefusals(metrics, "new repositories")),
      changes_(clock, OptionsOf(limits.burst, limits.per_second)),
      repositories_(clock, OptionsOf(limits.new_repositories_per_hour,
                                     limits.new_repositories_per_hour /
                                         std::chrono::duration<double>(kPeriod).count())),
      counted_(kCountedRepositories) {}

net::awaitable<Result<void>> ChangeRate::AwaitChange(const Caller& caller, size_t changes) {
  const RateLimit::Reservation turn =
      changes_.Reserve(ToString(caller.holder), static_cast<double>(changes), kMaxWait);
  if (!turn.granted) {
    rejected_changes_.Increment();
    co_return Rejection(ToString(caller.holder) + " changes tags and manifests faster than " +
                            std::to_string(static_cast<int64_t>(limits_.per_second)) +
                            " times a second (changes.max_rate)",
                        turn.wait);
  }
  if (turn.wait == turn.wait.zero()) co_return Result<void>();
  net::steady_timer timer(co_await net::this_coro::executor, turn.wait);
  co_await timer.async_wait(net::as_tuple(net::use_awaitable));
  co_return caller.recheck();
}

Result<void> ChangeRate::AdmitRepository(const Holder& holder, const RepositoryName& repository) {
  const std::chrono::nanoseconds now = clock_.SinceBoot();
  const std::string key = ToString(holder) + ' ' + repository.ToString();
  MutexLock lock(mutex_);
  const auto* counted = counted_.Find(key);
  if (counted != nullptr && now - *counted < kPeriod) return {};
  const auto turn = repositories_.Reserve(ToString(holder), 1, std::chrono::nanoseconds(0));
  if (turn.granted) {
    counted_.At(key) = now;
    return {};
  }
  rejected_repositories_.Increment();
  return Rejection(ToString(holder) + " has created " +
                       std::to_string(static_cast<int64_t>(limits_.new_repositories_per_hour)) +
                       " repositories within an hour, which is the limit "
                       "(changes.max_new_repositories)",
                   turn.wait);
}

}  // namespace outport::store
