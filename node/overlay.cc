#include "node/overlay.h"

namespace outport::node {

bool Overlay::Passed(const Mark& mark, const v1::Position& applied) {
  if (applied.epoch() == mark.head.epoch()) return applied.sequence() >= mark.head.sequence();
  // Neither the answer's history nor the one the replica had then: the store has begun another.
  return applied.epoch() != mark.replica_epoch;
}

void Overlay::Put(const std::string& key, const Resolved& resolved, const v1::Position& applied) {
  const Mark mark{resolved.answer.head(), applied.epoch()};
  if (Passed(mark, applied)) return;
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end() && found->second.mark.head.epoch() == mark.head.epoch() &&
      found->second.mark.head.sequence() > mark.head.sequence()) {
    return;
  }
  if (found == entries_.end() && entries_.size() >= limit_) {
    std::erase_if(entries_, [&](const auto& entry) { return Passed(entry.second.mark, applied); });
    if (entries_.size() >= limit_) {
      entries_.clear();
      forgotten_ = newest_;
    }
  }
  entries_.insert_or_assign(key, Entry{resolved, mark});
  if (!newest_.has_value() || newest_->head.epoch() != mark.head.epoch() ||
      newest_->head.sequence() < mark.head.sequence()) {
    newest_ = mark;
  }
}

std::optional<Resolved> Overlay::Find(const std::string& key, const v1::Position& applied) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  if (Passed(found->second.mark, applied)) {
    entries_.erase(found);
    return std::nullopt;
  }
  return found->second.resolved;
}

bool Overlay::IsComplete(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !forgotten_.has_value() || Passed(*forgotten_, applied);
}

bool Overlay::IsPassed(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !newest_.has_value() || Passed(*newest_, applied);
}

}  // namespace outport::node
