#include "registry/service/pull_recorder.h"

#include <utility>

namespace outport {
namespace {

constexpr int64_t kHourMs = 3'600'000;

}  // namespace

void PullRecorder::Record(const RepositoryName& repository, const Reference& reference,
                          const Digest& digest) {
  SeenIn old;  // destroyed after the lock
  const MutexLock lock(mutex_);
  const int64_t now_ms = now_ms_();
  // The clocks never go back by more than the time between two threads.
  if (const int64_t hour = now_ms / kHourMs; hour > hour_) {
    hour_ = hour;
    old.swap(seen_);
    seen_count_ = 0;
  }
  Add(repository, reference, now_ms);
  if (std::holds_alternative<Tag>(reference)) Add(repository, digest, now_ms);
}

void PullRecorder::Add(const RepositoryName& repository, const Reference& reference,
                       int64_t now_ms) {
  auto found = seen_.find(repository.ToString());
  std::string text = ToString(reference);
  if (found != seen_.end() && found->second.references.contains(text)) return;
  const size_t waiting =
      found != seen_.end() && found->second.batch == batch_ ? found->second.waiting : 0;
  if (waiting_.pulls.size() >= limits_.pulls || waiting >= limits_.in_repository) {
    ++waiting_.dropped;
    return;
  }
  if (seen_count_ >= limits_.pulls) {
    Forget();
    found = seen_.find(repository.ToString());
  }
  if (found == seen_.end()) found = seen_.emplace(repository.ToString(), Seen()).first;
  Seen& seen = found->second;
  seen.references.insert(std::move(text));
  seen.waiting = waiting + 1;
  seen.batch = batch_;
  ++seen_count_;
  waiting_.pulls.push_back({repository, reference, now_ms});
}

void PullRecorder::Forget() {
  std::erase_if(seen_, [batch = batch_](const auto& entry) { return entry.second.batch != batch; });
  for (auto& [repository, seen] : seen_) seen.references.clear();
  seen_count_ = 0;
}

PullRecorder::Taken PullRecorder::Take() {
  const MutexLock lock(mutex_);
  ++batch_;
  Taken taken = std::exchange(waiting_, Taken());
  taken.before_ms = now_ms_();
  return taken;
}

}  // namespace outport
