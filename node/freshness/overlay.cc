#include "node/freshness/overlay.h"

namespace outport::node {
namespace {

void Raise(std::optional<Mark>& newest, const Mark& mark) {
  if (!newest.has_value() || newest->position.epoch() != mark.position.epoch() ||
      newest->position.sequence() < mark.position.sequence()) {
    newest = mark;
  }
}

}  // namespace

bool HasPassed(const v1::Position& applied, const Mark& mark) {
  if (applied.epoch() == mark.position.epoch()) {
    return applied.sequence() >= mark.position.sequence();
  }
  // If the replica is also no longer in the epoch that it had when the answer came, the store has
  // begun a third epoch since. The replica is then newer than the answer.
  return applied.epoch() != mark.replica_epoch;
}

void Overlay::RestoreMark(const Mark& mark) {
  MutexLock lock(mutex_);
  newest_ = newest_dropped_ = mark;
}

void Overlay::Put(const ResolveQuestion& question, const StoreAnswer& answer,
                  const v1::Position& applied) {
  const Mark mark = answer.mark();
  if (HasPassed(applied, mark)) return;
  MutexLock lock(mutex_);
  const auto found = answers_.find(question);
  if (found != answers_.end()) {
    const v1::Position& kept = found->second.position;
    if (kept.epoch() == mark.position.epoch() && kept.sequence() > mark.position.sequence()) return;
  }
  if (found == answers_.end() && answers_.size() >= limit_) {
    std::erase_if(answers_,
                  [&](const auto& entry) { return HasPassed(applied, entry.second.mark()); });
    if (answers_.size() >= limit_) {
      answers_.clear();
      newest_dropped_ = newest_;
    }
  }
  answers_.insert_or_assign(question, answer);
  Raise(newest_, mark);
}

void Overlay::DropOlder(const v1::Position& position, const v1::Position& applied) {
  const Mark mark{position, applied.epoch()};
  if (HasPassed(applied, mark)) return;
  MutexLock lock(mutex_);
  std::erase_if(answers_, [&](const auto& entry) {
    const v1::Position& kept = entry.second.position;
    return kept.epoch() == position.epoch() && kept.sequence() < position.sequence();
  });
  Raise(newest_, mark);
  Raise(newest_dropped_, mark);
}

std::optional<StoreAnswer> Overlay::Find(const ResolveQuestion& question,
                                         const v1::Position& applied) {
  MutexLock lock(mutex_);
  const auto found = answers_.find(question);
  if (found == answers_.end()) return std::nullopt;
  if (HasPassed(applied, found->second.mark())) {
    answers_.erase(found);
    return std::nullopt;
  }
  return found->second;
}

std::vector<std::pair<Tag, StoreAnswer>> Overlay::FindTags(const RepositoryName& repository,
                                                           const v1::Position& applied) const {
  std::vector<std::pair<Tag, StoreAnswer>> tags;
  MutexLock lock(mutex_);
  const auto [begin, end] = answers_.equal_range(repository);
  for (auto at = begin; at != end; ++at) {
    const Tag* tag = std::get_if<Tag>(&at->first.reference);
    if (tag != nullptr && !HasPassed(applied, at->second.mark())) {
      tags.emplace_back(*tag, at->second);
    }
  }
  return tags;
}

std::set<RepositoryName> Overlay::FindRepositories(const v1::Position& applied) const {
  std::set<RepositoryName> repositories;
  MutexLock lock(mutex_);
  for (const auto& [question, answer] : answers_) {
    if (answer.answer.repository_known && !HasPassed(applied, answer.mark())) {
      repositories.insert(question.repository);
    }
  }
  return repositories;
}

bool Overlay::IsComplete(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !newest_dropped_.has_value() || HasPassed(applied, *newest_dropped_);
}

bool Overlay::IsPassed(const v1::Position& applied) const {
  MutexLock lock(mutex_);
  return !newest_.has_value() || HasPassed(applied, *newest_);
}

}  // namespace outport::node
