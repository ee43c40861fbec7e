#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"

namespace outport::node {

// How old the replica may be, without clocks in step. A pong brings the store's head as it was
// after the ping had been sent: once the replica has applied that head, its state is no older than
// the moment of that sending, on this machine's boot clock. After a restart the last proof is known
// by wall time only, until the first pong. Safe for all threads; does not block.
class Freshness {
 public:
  // `proven_ms`: wall time of the last proof of an earlier process; 0 if there is none.
  Freshness(const Clock& clock, int64_t proven_ms);

  // The replica stands at this point now.
  void Applied(const std::string& epoch, uint64_t sequence);
  // The answer to the ping sent at `sent` (of Clock::SinceBoot).
  void Ponged(std::chrono::nanoseconds sent, const std::string& epoch, uint64_t head);

  // An upper bound of the replica's age; nullopt if it is unknown.
  std::optional<std::chrono::nanoseconds> Staleness() const;
  // The wall time of the last proof, to be kept for the next process; 0 if there is none.
  int64_t ProvenMillis() const;

 private:
  struct Pong {
    std::chrono::nanoseconds sent;
    std::string epoch;
    uint64_t head;
  };
  void Prove() OUTPORT_REQUIRES_LOCK(mutex_);

  const Clock& clock_;
  const int64_t restored_ms_;
  mutable Mutex mutex_;
  std::string epoch_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t applied_ OUTPORT_GUARDED_BY(mutex_) = 0;
  // Pongs whose head is not applied yet, oldest first.
  std::deque<Pong> waiting_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<std::chrono::nanoseconds> proven_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
