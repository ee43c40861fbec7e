#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/mutex.h"

namespace outport::node {

// Computes an upper bound of the replica's age, without synchronised clocks. A pong carries the
// store's head, which the store reads after the node has sent the ping. When the replica has
// applied that head, it is no older than the ping, by this machine's boot clock. From a restart to
// the first pong, the node knows only the wall time of the last proof. Safe for all threads; does
// not block.
class Freshness {
 public:
  // `proven_ms` is the wall time of the last proof of an earlier process; 0 if there was no proof.
  Freshness(const Clock& clock, int64_t proven_ms);

  // Records that the replica has applied this position.
  void RecordApplied(const std::string& epoch, uint64_t sequence);
  // Records a pong with this head. `sent` is when the node sent the ping, by Clock::SinceBoot.
  void RecordPong(std::chrono::nanoseconds sent, const std::string& epoch, uint64_t head);

  // Returns an upper bound of the replica's age; nullopt if the age is unknown.
  std::optional<std::chrono::nanoseconds> Staleness() const;
  // Returns the wall time of the last proof, for the next process; 0 if there was no proof.
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
  // Pongs whose head the replica has not applied yet, oldest first.
  std::deque<Pong> waiting_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<std::chrono::nanoseconds> proven_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
