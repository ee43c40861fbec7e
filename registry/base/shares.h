#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/clock.h"
#include "registry/base/holder.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"

namespace outport {

// The counter of the requests that were rejected because the share of their holder was used up.
// `what` is the resource.
prometheus::Counter& ShareRefusals(Metrics& metrics, const std::string& what);

// Divides one resource, for example the upload bodies of a store, among those who use it.
//
// The rule: a holder gets an amount that is free if afterwards it has no more than `least`, or no
// more than what remains free. So a holder that is alone gets half of the capacity, two get a third
// each, and a newcomer finds room as long as anything is free. The holder that has most is the
// first that gets nothing more.
//
// If many holders have used up the capacity, a newcomer finds nothing free. Then a holder that has
// more than the newcomer would have loses a holding: the largest holder, and of its holdings the
// one that moved the fewest bytes in the last second (Holding::OnYield(), Holding::Moved()).
//
// Each process divides its own resources. Safe for all threads; only TakeSoon() waits. No code runs
// under the mutex that takes another one. A Shares object outlives its holdings.
class Shares {
 public:
  struct Options {
    std::string what;  // a plural noun for messages and for the metric: "upload bodies"
    uint64_t capacity = 0;
    // Each holder may have this amount as long as it is free; 0: capacity / 64, and at least 1.
    uint64_t least = 0;
    std::string fix;  // what a refused holder can do: "push fewer blobs at the same time"
  };
  Shares(Options options, Metrics& metrics, const Clock& clock, Log log);
  Shares(const Shares&) = delete;
  Shares& operator=(const Shares&) = delete;

  class Holding;
  // Returns `amount` of the resource. kTooManyRequests if the holder's share is used up; the error
  // names the resource, the holder, what it holds and its limit. If a newcomer finds no room, this
  // asks others to yield, and the newcomer's retry finds room.
  Result<Holding> Take(const Holder& holder, uint64_t amount = 1);
  // Like Take(), but gives those who are asked to yield some time. REQUIRES: as
  // Notifier::WaitPast().
  Awaitable<Result<Holding>> TakeSoon(Holder holder, uint64_t amount = 1,
                                      std::chrono::milliseconds patience = kPatience);
  static constexpr std::chrono::milliseconds kPatience{250};

  uint64_t capacity() const { return options_.capacity; }
  uint64_t Free() const;
  uint64_t HeldBy(const Holder& holder) const;
  // The number of holders that have something.
  size_t Holders() const;

 private:
  struct Entry;
  struct Account {
    uint64_t held = 0;
    uint64_t yielding = 0;       // of `held`: was asked to yield
    std::set<Entry*> yieldable;  // have an OnYield() and were not asked
  };
  struct Yield {
    boost::asio::any_io_executor executor;
    std::function<void()> run;
    std::weak_ptr<Entry> entry;
  };
  // The result of one attempt to take something.
  struct Attempt {
    bool granted = false;
    bool freed_soon = false;  // enough will be free when those who were asked have yielded
    std::vector<Yield> yields;
  };

  Attempt Try(const Holder& holder, uint64_t amount) OUTPORT_REQUIRES_LOCK(mutex_);
  // Asks the largest holders to yield until `amount` is going to be free, besides what is promised
  // to others.
  void AskToYield(const Holder& holder, uint64_t amount, Attempt& attempt)
      OUTPORT_REQUIRES_LOCK(mutex_);
  // Returns the holding that should yield to a newcomer that is going to hold `held`, or nullptr.
  Entry* FindVictim(uint64_t held) OUTPORT_REQUIRES_LOCK(mutex_);
  uint64_t FreeNow() const OUTPORT_REQUIRES_LOCK(mutex_) { return options_.capacity - used_; }
  uint64_t HeldNow(const Holder& holder) const OUTPORT_REQUIRES_LOCK(mutex_);
  // Takes `amount` of the entry out of its holder's account.
  void Subtract(Entry& entry, uint64_t amount) OUTPORT_REQUIRES_LOCK(mutex_);
  void Forget(Entry& entry) OUTPORT_REQUIRES_LOCK(mutex_);
  bool MayLog(const Holder& holder) OUTPORT_REQUIRES_LOCK(mutex_);

  // Returns null if nothing can be granted now. `promised` is the part of promised_ of a caller who
  // waits, and null for others. The attempt replaces it by what is going to be free for the caller.
  std::shared_ptr<Entry> Enter(const Holder& holder, uint64_t amount, uint64_t* promised);
  Error Refuse(const Holder& holder, uint64_t amount);
  Result<void> Grow(Entry& entry, uint64_t amount);
  void Shrink(Entry& entry, uint64_t amount);
  void Rekey(Entry& entry, const Holder& holder);
  void SetYield(Entry& entry, boost::asio::any_io_executor executor, std::function<void()> run);
  void Release(Entry& entry);
  void NotifyWaiting();
  static void Post(std::vector<Yield> yields);

  const Options options_;
  const uint64_t least_;
  const Clock& clock_;
  const Log log_;
  prometheus::Counter& refusals_;
  mutable Mutex mutex_;
  uint64_t used_ OUTPORT_GUARDED_BY(mutex_) = 0;
  // The amount for which calls of TakeSoon() wait, because it is going to be free.
  uint64_t promised_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::map<Holder, Account> accounts_ OUTPORT_GUARDED_BY(mutex_);  // of those who hold something
  std::set<Entry*> asked_ OUTPORT_GUARDED_BY(mutex_);              // to yield
  // When a refusal of a holder was logged. Bounded.
  std::map<Holder, std::chrono::nanoseconds> logged_ OUTPORT_GUARDED_BY(mutex_);
  std::atomic<size_t> waiting_ = 0;  // calls of TakeSoon()
  Notifier released_;                // notified while somebody waits
};

// A part of the resource. The destructor gives it back. For one thread at a time.
class Shares::Holding {
 public:
  Holding(Holding&& other) noexcept = default;
  Holding& operator=(Holding&& other) noexcept;
  ~Holding();

  uint64_t amount() const;
  // Changes the amount. More of it follows the rule of Take(), and an error changes nothing.
  Result<void> Resize(uint64_t amount);
  // Counts the holding to another holder, for example to the user after a login. Never fails: the
  // new holder may then have more than its share, and gets nothing more.
  void Rekey(const Holder& holder);
  // Counts bytes that the holding has moved. Takes no lock.
  void Moved(uint64_t bytes);
  // Posts `run` to `executor` if this holding must yield. `run` must make the holding's owner give
  // the holding back soon, for example by ending the request. Not called after the end of the
  // holding if `executor` is the strand that ends the holding. Call once.
  void OnYield(boost::asio::any_io_executor executor, std::function<void()> run);

 private:
  friend class Shares;
  Holding(Shares& shares, std::shared_ptr<Entry> entry)
      : shares_(&shares), entry_(std::move(entry)) {}

  Shares* shares_;
  std::shared_ptr<Entry> entry_;  // null after a move; posted yields watch it
};

}  // namespace outport
