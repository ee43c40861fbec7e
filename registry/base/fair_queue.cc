#include "registry/base/fair_queue.h"

#include <algorithm>

namespace outport {
namespace {

constexpr FairQueue::Seconds kFirstEstimate = std::chrono::milliseconds(1);
constexpr size_t kMaxIdleLanes = 1024;

bool IsSystem(const Holder& holder) { return holder.kind == HolderKind::kSystem; }

}  // namespace

size_t FairQueue::QueuedBy(const Holder& holder) const {
  const auto found = lanes_.find(holder);
  return found == lanes_.end() ? 0 : found->second.pieces.size();
}

void FairQueue::Push(const Holder& holder, Piece piece) {
  auto& entry = *lanes_.try_emplace(holder, Lane{.estimate = kFirstEstimate}).first;
  Lane& lane = entry.second;
  if (IsIdle(lane)) {
    lane.clock = std::max(lane.clock, now_);
    if (!IsSystem(holder)) ++busy_holders_;
  }
  lane.pieces.push_back(std::move(piece));
  ++size_;
  Offer(entry);
}

FairQueue::Next FairQueue::Pop() {
  auto& entry = *ready_.begin()->second;
  auto& [holder, lane] = entry;
  Withdraw(entry);
  now_ = std::max(now_, lane.clock);
  const double others = static_cast<double>(std::max<size_t>(1, busy_holders_));
  const double weight = IsSystem(holder) ? 1 / others : 1;
  Next next{.run = std::move(lane.pieces.front().run),
            .holder = holder,
            .weight = weight,
            .charged = lane.estimate * weight};
  lane.pieces.pop_front();
  --size_;
  ++lane.running;
  ++running_;
  lane.clock += next.charged;
  Offer(entry);
  return next;
}

void FairQueue::Finished(const Next& next, Seconds taken) {
  const auto found = lanes_.find(next.holder);
  Lane& lane = found->second;
  Withdraw(*found);
  --lane.running;
  --running_;
  lane.clock += taken * next.weight - next.charged;
  lane.estimate = (lane.estimate * 3 + taken) / 4;
  Offer(*found);
  if (!IsIdle(lane)) return;
  if (!IsSystem(next.holder)) --busy_holders_;
  ForgetIdleLanes(found);
}

// An idle lane is remembered until the others have caught up, so that a holder that sends one piece
// after the other is charged for all of them.
void FairQueue::ForgetIdleLanes(LaneMap::iterator idle) {
  if (size_ == 0 && running_ == 0) {
    lanes_.clear();
    now_ = Seconds(0);
  } else if (idle->second.clock <= now_) {
    lanes_.erase(idle);
  } else if (lanes_.size() > busy_holders_ + kMaxIdleLanes) {
    std::erase_if(lanes_, [](const auto& entry) { return IsIdle(entry.second); });
  }
}

std::optional<FairQueue::Piece> FairQueue::Evict(const Holder& newcomer) {
  const auto can_be_evicted = [](const Piece& piece) { return piece.refuse != nullptr; };
  LaneMap::value_type* longest = nullptr;
  size_t most = QueuedBy(newcomer) + 1;
  for (auto& entry : lanes_) {
    const std::deque<Piece>& pieces = entry.second.pieces;
    if (pieces.size() <= most || IsSystem(entry.first) ||
        std::ranges::none_of(pieces, can_be_evicted))
      continue;
    longest = &entry;
    most = pieces.size();
  }
  if (longest == nullptr) return std::nullopt;
  std::deque<Piece>& pieces = longest->second.pieces;
  auto newest = std::prev(pieces.end());
  while (!can_be_evicted(*newest)) --newest;
  Piece evicted = std::move(*newest);
  pieces.erase(newest);
  --size_;
  return evicted;
}

void FairQueue::Offer(LaneMap::value_type& entry) {
  auto& [holder, lane] = entry;
  const bool may_run = IsSystem(holder) || lane.running < running_limit_;
  if (lane.turn.has_value() || lane.pieces.empty() || !may_run) return;
  lane.turn = turns_++;
  ready_.emplace(std::pair(lane.clock, *lane.turn), &entry);
}

void FairQueue::Withdraw(LaneMap::value_type& entry) {
  Lane& lane = entry.second;
  if (!lane.turn.has_value()) return;
  ready_.erase({lane.clock, *lane.turn});
  lane.turn.reset();
}

}  // namespace outport
