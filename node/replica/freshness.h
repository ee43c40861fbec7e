#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"

namespace outport::node {

// Bounds the replica's age without synchronised clocks. A pong carries the store's head, read after
// the node sent the ping. Once the replica has applied that head, the replica is no older than the
// ping, by this machine's boot clock. After a restart and until the first pong, the last proof is
// known by wall time only. Safe for all threads; does not block.
class Freshness {
 public:
  // `proven_ms`: the wall time of an earlier process's last proof; 0 if there is none.
  Freshness(const Clock& clock, int64_t proven_ms);

  // The replica has applied this position.
  void RecordApplied(const std::string& epoch, uint64_t sequence);
  // The pong to the ping sent at `sent` (by Clock::SinceBoot) carried this head.
  void RecordPong(std::chrono::nanoseconds sent, const std::string& epoch, uint64_t head);

  // An upper bound of the replica's age; nullopt if it is unknown.
  std::optional<std::chrono::nanoseconds> Staleness() const;
  // The wall time of the last proof, for the next process; 0 if there is none.
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
