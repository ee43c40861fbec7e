#include "node/freshness/overlay.h"

namespace outport::node {
namespace {

void Raise(std::optional<Mark>& newest, const Mark& mark) {
  if (!newest.has_value() || newest->head.epoch() != mark.head.epoch() ||
      newest->head.sequence() < mark.head.sequence()) {
    newest = mark;
  }
}

}  // namespace

bool HasPassed(const v1::Position& applied, const Mark& mark) {
  if (applied.epoch() == mark.head.epoch()) return applied.sequence() >= mark.head.sequence();
  // Neither the answer's history nor the one the replica had then: the store has begun another.
  return applied.epoch() != mark.replica_epoch;
}

void Overlay::Put(const std::string& key, const Resolved& resolved, const v1::Position& applied) {
  const Mark mark = MarkOf(resolved);
  if (HasPassed(applied, mark)) return;
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found != entries_.end()) {
    const v1::Position& kept = found->second.answer.head();
    if (kept.epoch() == mark.head.epoch() && kept.sequence() > mark.head.sequence()) return;
  }
  if (found == entries_.end() && entries_.size() >= limit_) {
    std::erase_if(entries_,
                  [&](const auto& entry) { return HasPassed(applied, MarkOf(entry.second)); });
    if (entries_.size() >= limit_) {
      entries_.clear();
      forgotten_ = newest_;
    }
  }
  entries_.insert_or_assign(key, resolved);
  Raise(newest_, mark);
}

void Overlay::Distrust(const v1::Position& head, const v1::Position& applied) {
  const Mark mark{head, applied.epoch()};
  if (HasPassed(applied, mark)) return;
  MutexLock lock(mutex_);
  std::erase_if(entries_, [&](const auto& entry) {
    const v1::Position& kept = entry.second.answer.head();
    return kept.epoch() == head.epoch() && kept.sequence() < head.sequence();
  });
  Raise(newest_, mark);
  Raise(forgotten_, mark);
}

std::optional<Resolved> Overlay::Find(const std::string& key, const v1::Position& applied) {
  MutexLock lock(mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  if (HasPassed(applied, MarkOf(found->second))) {
    entries_.erase(found);
    return std::nullopt;
  }
  return found->second;
}

std::vector<std::pair<std::string, Resolved>> Overlay::FindAll(const std::string& prefix,
                                                               const v1::Position& applied) const {
  std::vector<std::pair<std::string, Resolved>> found;
  MutexLock lock(mutex_);
  for (auto at = entries_.lower_bound(prefix); at != entries_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    if (!HasPassed(applied, MarkOf(at->second))) found.push_back(*at);
  }
  return found;
}

void Overlay::Forgot(const Mark& mark) {
  MutexLock lock(mutex_);
  newest_ = forgotten_ = mark;
}

bool Overlay::IsComplete(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !forgotten_.has_value() || HasPassed(applied, *forgotten_);
}

bool Overlay::IsPassed(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !newest_.has_value() || HasPassed(applied, *newest_);
}

}  // namespace outport::node
