#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <string>

#include "registry/base/awaitable.h"
#include "registry/base/holder.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"
#include "registry/oci/manifest.h"

namespace outport::store {

// Gives turns to the writes of large manifests (IsLarge()).
//
// The transaction that puts or removes a manifest with thousands of layers locks the row of each of
// its blobs. Images of other users may share these blobs, and other transactions wait only a second
// for a lock. So a holder has one turn at a time, and all holders together have few. Other writes
// wait in the order of their arrival. If too many of one holder or of all holders wait, or if they
// keep too many bytes in memory meanwhile, further ones are rejected. Each process over the same
// metadata gives turns of its own.
//
// Callable from any strand; nothing here blocks. The object outlives its turns.
class LargeWrites {
 public:
  struct Limits {
    size_t turns = 2;             // at once
    size_t places = 16;           // writes that have their turn or wait for it
    size_t places_of_holder = 4;  // the same, of one holder
    // The bytes that the waiting writes of one holder, and of all holders, keep in memory. One
    // manifest of any size may wait. All holders together leave most of the server's memory for
    // manifests to others.
    uint64_t waiting_bytes_of_holder = kMaxManifestBytes;
    uint64_t waiting_bytes = 4 * kMaxManifestBytes;
    // Shorter than a node's wait for the answer to a relayed write.
    std::chrono::milliseconds max_wait{10'000};
    // A waiting write of a user that lost access leaves after this time.
    std::chrono::milliseconds recheck_interval{1'000};
  };
  struct Write {
    Holder holder;
    uint64_t held_bytes = 0;  // that the write keeps in memory while it waits
    // Re-authorises the user (Caller::recheck).
    std::function<Result<void>()> recheck = [] { return Result<void>(); };
  };
  LargeWrites(Metrics& metrics, Limits limits);

  // The right to write one large manifest. The destructor gives it to the next.
  class Turn;
  // Waits for a turn. kTooManyRequests if a limit is reached, or after limits.max_wait. Returns the
  // error of write.recheck(), which it calls while it waits and right before it returns the turn.
  // Ends when the coroutine is cancelled. REQUIRES: as Notifier::WaitPast().
  Awaitable<Result<Turn>> AwaitTurn(Write write);
  // The number of writes that have their turn.
  size_t Turns() const;

 private:
  struct Place {
    Holder holder;
    uint64_t held_bytes;
    bool has_turn = false;
  };
  using PlacePtr = std::list<Place>::iterator;

  Result<Turn> Enter(const Write& write);
  void Leave(PlacePtr place);
  bool HasTurn(PlacePtr place);
  // Gives the free turns to the first places whose holders have none.
  void GiveTurns() OUTPORT_REQUIRES_LOCK(mutex_);
  bool HolderHasTurn(const Holder& holder) const OUTPORT_REQUIRES_LOCK(mutex_);
  // The waiting writes keep too many bytes in memory.
  bool HoldTooMuch(const Holder& holder) const OUTPORT_REQUIRES_LOCK(mutex_);

  const Limits limits_;
  prometheus::Gauge& places_gauge_;
  prometheus::Counter& rejected_;
  mutable Mutex mutex_;
  std::list<Place> places_ OUTPORT_GUARDED_BY(mutex_);  // in the order of arrival
  Notifier moved_;                                      // notified when turns were given
};

class LargeWrites::Turn {
 public:
  Turn(Turn&& other) noexcept;
  Turn& operator=(Turn&&) = delete;
  ~Turn();

 private:
  friend class LargeWrites;
  Turn(LargeWrites& writes, PlacePtr place) : writes_(&writes), place_(place) {}

  LargeWrites* writes_;  // nullptr after a move
  PlacePtr place_;
};

}  // namespace outport::store
