#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <utility>

#include "registry/base/holder.h"

namespace outport {

// A queue of work that divides the time of threads fairly among holders (start-time fair queueing).
//
// Each holder has a lane, and each lane has a clock that advances by the time that its work takes.
// The next piece of work comes from the lane whose clock is furthest back. So a holder with much
// work, or with long work, delays the others only a little. A lane that was idle does not catch up.
// The work of the program itself (a default Holder) is one lane that gets half of the time, and
// more if nobody else has work.
//
// For one thread at a time.
class FairQueue {
 public:
  using Work = std::move_only_function<void()>;
  using Seconds = std::chrono::duration<double>;

  struct Piece {
    Work run;
    // Says that the piece will not run. Null: the piece cannot be evicted.
    Work refuse = nullptr;
  };
  // A piece that has left the queue to run.
  struct Next {
    Work run;
    Holder holder;
    double weight = 1;
    Seconds charged{0};  // the estimate that the lane's clock has advanced by
  };

  // At most `running_of_holder` pieces of one holder run at the same time. The limit does not apply
  // to the program itself.
  explicit FairQueue(size_t running_of_holder = SIZE_MAX) : running_limit_(running_of_holder) {}
  FairQueue(const FairQueue&) = delete;
  FairQueue& operator=(const FairQueue&) = delete;

  size_t size() const { return size_; }
  size_t QueuedBy(const Holder& holder) const;
  // The number of holders that the queue remembers.
  size_t Lanes() const { return lanes_.size(); }

  void Push(const Holder& holder, Piece piece);
  // Whether a piece may run now.
  bool HasNext() const { return !ready_.empty(); }
  // Removes and returns the next piece of work. Call Finished() when it has run. REQUIRES:
  // HasNext().
  Next Pop();
  void Finished(const Next& next, Seconds taken);
  // Makes room for a piece of `newcomer`: removes the newest piece of the holder that has most in
  // the queue. nullopt if nobody has more there than the newcomer would have.
  std::optional<Piece> Evict(const Holder& newcomer);

 private:
  struct Lane {
    std::deque<Piece> pieces = {};
    size_t running = 0;
    Seconds clock{0};
    Seconds estimate;                             // of the time of the next piece
    std::optional<uint64_t> turn = std::nullopt;  // set while the lane is in ready_
  };
  using LaneMap = std::map<Holder, Lane>;

  static bool IsIdle(const Lane& lane) { return lane.running == 0 && lane.pieces.empty(); }
  // Puts the lane into ready_ if its next piece may run, and takes it out before its clock changes.
  void Offer(LaneMap::value_type& lane);
  void Withdraw(LaneMap::value_type& lane);
  void ForgetIdleLanes(LaneMap::iterator idle);

  const size_t running_limit_;
  size_t size_ = 0;
  size_t running_ = 0;
  size_t busy_holders_ = 0;  // lanes that are not idle, without the one of the program itself
  Seconds now_{0};           // the clock of the lane that ran last: where an idle lane starts again
  uint64_t turns_ = 0;
  LaneMap lanes_;
  // The lanes whose next piece may run, by clock, and in the order of arrival if clocks are equal.
  std::map<std::pair<Seconds, uint64_t>, LaneMap::value_type*> ready_;
};

}  // namespace outport
