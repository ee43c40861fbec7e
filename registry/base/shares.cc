#include "registry/base/shares.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <tuple>
#include <utility>

namespace outport {
namespace {

using std::chrono::nanoseconds;

constexpr uint64_t kLeastFraction = 64;
constexpr size_t kMaxYieldsAtOnce = 16;
// A holding that was asked to yield and has not done so in this time is no longer counted on.
constexpr nanoseconds kYieldTime = std::chrono::seconds(1);
constexpr nanoseconds kLogInterval = std::chrono::minutes(1);
constexpr size_t kMaxLogged = 256;  // holders whose refusals are logged in one interval

int64_t SecondOf(nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time).count();
}

// The bytes of this and the last second. One thread adds, and any thread reads an estimate.
class Meter {
 public:
  void Add(uint64_t bytes, int64_t second) {
    const int64_t last = second_.load();
    if (last != second) {
      previous_ = second == last + 1 ? current_.load() : 0;
      current_ = 0;
      second_ = second;
    }
    current_ += bytes;
  }
  uint64_t Recent(int64_t second) const {
    const int64_t last = second_.load();
    if (second == last) return current_ + previous_;
    return second == last + 1 ? current_.load() : 0;
  }

 private:
  std::atomic<int64_t> second_ = 0;
  std::atomic<uint64_t> current_ = 0;
  std::atomic<uint64_t> previous_ = 0;
};

}  // namespace

prometheus::Counter& ShareRefusals(Metrics& metrics, const std::string& what) {
  return metrics.Counter("outport_share_refusals_total",
                         "Requests rejected because the share of their holder was used up.",
                         {{"what", what}});
}

// One holding. The mutex of Shares guards all but the meter.
struct Shares::Entry {
  Entry(Holder holder_in, uint64_t amount_in, nanoseconds taken_in)
      : holder(std::move(holder_in)), amount(amount_in), taken(taken_in) {}

  Holder holder;
  uint64_t amount;
  const nanoseconds taken;
  nanoseconds asked{0};  // when the holding was asked to yield
  boost::asio::any_io_executor executor = {};
  std::function<void()> yield = nullptr;
  Meter meter = {};
  std::weak_ptr<Entry> self = {};
};

Shares::Shares(Options options, Metrics& metrics, const Clock& clock, Log log)
    : options_(std::move(options)),
      least_(options_.least > 0 ? options_.least
                                : std::max<uint64_t>(1, options_.capacity / kLeastFraction)),
      clock_(clock),
      log_(std::move(log)),
      refusals_(ShareRefusals(metrics, options_.what)) {}

uint64_t Shares::Free() const {
  MutexLock lock(mutex_);
  return FreeNow();
}

uint64_t Shares::HeldBy(const Holder& holder) const {
  MutexLock lock(mutex_);
  return HeldNow(holder);
}

size_t Shares::Holders() const {
  MutexLock lock(mutex_);
  return accounts_.size();
}

uint64_t Shares::HeldNow(const Holder& holder) const {
  const auto found = accounts_.find(holder);
  return found == accounts_.end() ? 0 : found->second.held;
}

Result<Shares::Holding> Shares::Take(const Holder& holder, uint64_t amount) {
  std::shared_ptr<Entry> entry = Enter(holder, amount, nullptr);
  if (entry == nullptr) return Refuse(holder, amount);
  return Holding(*this, std::move(entry));
}

Awaitable<Result<Shares::Holding>> Shares::TakeSoon(Holder holder, uint64_t amount,
                                                    std::chrono::milliseconds patience) {
  struct Waiting {
    explicit Waiting(Shares& shares_in) : shares(shares_in) { ++shares.waiting_; }
    ~Waiting() {
      --shares.waiting_;
      MutexLock lock(shares.mutex_);
      shares.promised_ -= promised;
    }
    Shares& shares;
    uint64_t promised = 0;  // of promised_
  };
  const auto deadline = std::chrono::steady_clock::now() + patience;
  Waiting waiting(*this);  // before the first attempt, so that no release is missed
  for (;;) {
    const uint64_t seen = released_.Version();
    std::shared_ptr<Entry> entry = Enter(holder, amount, &waiting.promised);
    if (entry != nullptr) co_return Holding(*this, std::move(entry));
    if (waiting.promised == 0 || !co_await released_.WaitPast(seen, deadline)) break;
  }
  co_return Refuse(holder, amount);
}

std::shared_ptr<Shares::Entry> Shares::Enter(const Holder& holder, uint64_t amount,
                                             uint64_t* promised) {
  auto entry = std::make_shared<Entry>(holder, amount, clock_.SinceBoot());
  entry->self = entry;
  Attempt attempt;
  {
    MutexLock lock(mutex_);
    if (promised != nullptr) promised_ -= std::exchange(*promised, 0);
    attempt = Try(holder, amount);
    if (promised != nullptr && attempt.freed_soon) {
      *promised = amount;
      promised_ += amount;
    }
  }
  Post(std::move(attempt.yields));
  if (!attempt.granted) entry.reset();
  return entry;
}

Shares::Attempt Shares::Try(const Holder& holder, uint64_t amount) {
  const uint64_t free = FreeNow();
  const uint64_t held = HeldNow(holder);
  const bool is_small = amount <= least_ && held <= least_ - amount;
  Attempt attempt;
  if (amount <= free && (is_small || held + amount <= free - amount)) {
    accounts_[holder].held += amount;
    used_ += amount;
    attempt.granted = true;
  } else if (is_small) {
    AskToYield(holder, amount, attempt);
  }
  return attempt;
}

void Shares::AskToYield(const Holder& holder, uint64_t amount, Attempt& attempt) {
  const nanoseconds now = clock_.SinceBoot();
  const uint64_t wanted = promised_ + amount;
  uint64_t expected = FreeNow();
  for (const Entry* entry : asked_) {
    if (now - entry->asked < kYieldTime) expected += entry->amount;
  }
  const uint64_t held = HeldNow(holder) + amount;
  while (expected < wanted && attempt.yields.size() < kMaxYieldsAtOnce) {
    Entry* victim = FindVictim(held);
    if (victim == nullptr) break;
    Account& account = accounts_.at(victim->holder);
    account.yieldable.erase(victim);
    account.yielding += victim->amount;
    asked_.insert(victim);
    victim->asked = now;
    expected += victim->amount;
    attempt.yields.push_back({victim->executor, victim->yield, victim->self});
  }
  attempt.freed_soon = expected >= wanted;
}

Shares::Entry* Shares::FindVictim(uint64_t held) {
  const Account* largest = nullptr;
  for (const auto& [holder, account] : accounts_) {
    const uint64_t kept = account.held - account.yielding;
    if (account.yieldable.empty() || kept <= held) continue;
    if (largest == nullptr || kept > largest->held - largest->yielding) largest = &account;
  }
  if (largest == nullptr) return nullptr;
  const nanoseconds now = clock_.SinceBoot();
  const int64_t second = SecondOf(now);
  // A holding that has just begun has moved nothing yet, so it yields only if there is no other.
  const auto rank = [&](const Entry* entry) {
    return std::tuple(now - entry->taken < std::chrono::seconds(1), entry->meter.Recent(second),
                      entry->taken);
  };
  return *std::ranges::min_element(largest->yieldable, {}, rank);
}

void Shares::Subtract(Entry& entry, uint64_t amount) {
  const auto account = accounts_.find(entry.holder);
  if (account == accounts_.end()) return;  // the holding is of nothing
  account->second.held -= amount;
  if (asked_.contains(&entry)) account->second.yielding -= amount;
  used_ -= amount;
  entry.amount -= amount;
  if (account->second.held == 0 && account->second.yieldable.empty()) accounts_.erase(account);
}

Error Shares::Refuse(const Holder& holder, uint64_t amount) {
  uint64_t held = 0;
  uint64_t limit = 0;
  bool is_full = false;
  bool may_log = false;
  {
    MutexLock lock(mutex_);
    held = HeldNow(holder);
    const uint64_t reachable = held + FreeNow();
    limit = std::max(std::min(least_, reachable), reachable / 2);
    is_full = amount > FreeNow();
    may_log = MayLog(holder);
  }
  refusals_.Increment();
  const std::string name = ToString(holder);
  if (may_log) {
    log_.Warning("request rejected: share used up",
                 {{"what", options_.what}, {"holder", name}, {"held", held}, {"limit", limit}});
  }
  const std::string reason = is_full ? "all are in use" : "what is free is kept for others";
  return Error{ErrorCode::kTooManyRequests,
               "no more " + options_.what + " for " + name + ", which has " + std::to_string(held) +
                   " of " + std::to_string(options_.capacity) + " and may have " +
                   std::to_string(limit) + " now: " + reason + "; " + options_.fix +
                   ", or retry shortly"};
}

bool Shares::MayLog(const Holder& holder) {
  const nanoseconds now = clock_.SinceBoot();
  const auto found = logged_.find(holder);
  if (found != logged_.end() && now - found->second < kLogInterval) return false;
  if (found == logged_.end() && logged_.size() >= kMaxLogged) {
    std::erase_if(logged_, [&](const auto& row) { return now - row.second >= kLogInterval; });
    if (logged_.size() >= kMaxLogged) return false;
  }
  logged_.insert_or_assign(holder, now);
  return true;
}

Result<void> Shares::Grow(Entry& entry, uint64_t amount) {
  Attempt attempt;
  {
    MutexLock lock(mutex_);
    attempt = Try(entry.holder, amount);
    if (attempt.granted) {
      entry.amount += amount;
      if (asked_.contains(&entry)) accounts_.at(entry.holder).yielding += amount;
    }
  }
  Post(std::move(attempt.yields));
  if (!attempt.granted) return Refuse(entry.holder, amount);
  return {};
}

void Shares::Shrink(Entry& entry, uint64_t amount) {
  {
    MutexLock lock(mutex_);
    Subtract(entry, amount);
  }
  NotifyWaiting();
}

void Shares::Rekey(Entry& entry, const Holder& holder) {
  MutexLock lock(mutex_);
  if (entry.holder == holder) return;
  const uint64_t amount = entry.amount;
  const bool is_yieldable =
      accounts_.contains(entry.holder) && accounts_.at(entry.holder).yieldable.erase(&entry) > 0;
  Subtract(entry, amount);
  Account& account = accounts_[holder];
  entry.holder = holder;
  entry.amount = amount;
  account.held += amount;
  used_ += amount;
  if (asked_.contains(&entry)) account.yielding += amount;
  if (is_yieldable) account.yieldable.insert(&entry);
}

void Shares::SetYield(Entry& entry, boost::asio::any_io_executor executor,
                      std::function<void()> run) {
  MutexLock lock(mutex_);
  entry.executor = std::move(executor);
  entry.yield = std::move(run);
  accounts_[entry.holder].yieldable.insert(&entry);
}

void Shares::Release(Entry& entry) {
  {
    MutexLock lock(mutex_);
    const auto account = accounts_.find(entry.holder);
    if (account != accounts_.end()) account->second.yieldable.erase(&entry);
    Subtract(entry, entry.amount);
    asked_.erase(&entry);
  }
  NotifyWaiting();
}

void Shares::NotifyWaiting() {
  if (waiting_ > 0) released_.Notify();
}

void Shares::Post(std::vector<Yield> yields) {
  for (Yield& yield : yields) {
    boost::asio::post(yield.executor, [run = std::move(yield.run), entry = std::move(yield.entry)] {
      if (!entry.expired()) run();
    });
  }
}

Shares::Holding& Shares::Holding::operator=(Holding&& other) noexcept {
  if (this == &other) return *this;
  if (entry_ != nullptr) shares_->Release(*entry_);
  shares_ = other.shares_;
  entry_ = std::move(other.entry_);
  return *this;
}

Shares::Holding::~Holding() {
  if (entry_ != nullptr) shares_->Release(*entry_);
}

uint64_t Shares::Holding::amount() const { return entry_->amount; }

Result<void> Shares::Holding::Resize(uint64_t amount) {
  const uint64_t now = entry_->amount;
  if (amount > now) return shares_->Grow(*entry_, amount - now);
  if (amount < now) shares_->Shrink(*entry_, now - amount);
  return {};
}

void Shares::Holding::Rekey(const Holder& holder) { shares_->Rekey(*entry_, holder); }

void Shares::Holding::Moved(uint64_t bytes) {
  entry_->meter.Add(bytes, SecondOf(shares_->clock_.SinceBoot()));
}

void Shares::Holding::OnYield(boost::asio::any_io_executor executor, std::function<void()> run) {
  shares_->SetYield(*entry_, std::move(executor), std::move(run));
}

}  // namespace outport
