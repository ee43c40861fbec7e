#include "store/gc/stuck_objects.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "registry/records/rows.h"

namespace outport::store {

namespace {

using std::chrono::milliseconds;

}  // namespace

StuckObjects::StuckObjects(const CollectorParts& parts)
    : parts_(parts),
      failure_({.log = parts.log,
                .failed = "objects still not removed",
                .recovered = "objects removed at last",
                .level = LogLevel::kWarning}) {}

void StuckObjects::Add(std::string object, const Error& why) {
  parts_.log.Warning("object not removed", {{"object", object}, {"error", why.message}});
  if (objects_.empty()) next_ms_ = parts_.store_clock.NowMs() + milliseconds(kWait).count();
  if (objects_.size() < kMost) objects_.push_back({std::move(object)});
}

void StuckObjects::NoteBatch(bool removed) {
  removes_nothing_ = !removed;
  next_batch_ms_ = parts_.store_clock.NowMs() + milliseconds(kWait).count();
}

bool StuckObjects::HoldsUp() const {
  return objects_.size() >= kMany && removes_nothing_ &&
         parts_.store_clock.NowMs() < next_batch_ms_;
}

Result<void> StuckObjects::Retry() {
  const int64_t now_ms = parts_.store_clock.NowMs();
  if (objects_.empty() || now_ms < next_ms_) return {};
  next_ms_ = now_ms + milliseconds(kWait).count();
  std::vector<std::string> removed;
  for (size_t left = std::min(kTries, objects_.size()); left > 0; --left) {
    std::string object = std::move(objects_.front().name);
    objects_.pop_front();
    const bool gone = parts_.bytes.Remove({&object, 1}).has_value();
    if (gone) removed.push_back(object);
    if (!gone) objects_.push_back({.name = std::move(object), .is_retried = true});
  }
  stuck_ = static_cast<uint64_t>(std::ranges::count_if(objects_, &Object::is_retried));
  if (!removed.empty()) {
    removes_nothing_ = false;
    TRY_VOID(Forget(removed));
  }
  const Error refused{ErrorCode::kUnavailable,
                      "the disk does not remove them; 'object not removed' gives the reason"};
  failure_.Record(objects_.empty() ? Result<void>() : Result<void>(refused),
                  {{"count", objects_.empty() ? removed.size() : objects_.size()}});
  return {};
}

// Deletes the intents of objects that are gone.
Result<void> StuckObjects::Forget(const std::vector<std::string>& removed) {
  const auto forgotten = Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    for (const std::string& object : removed) TRY_VOID(transaction.Delete(keys::Intent(object)));
    return {};
  });
  if (forgotten.has_value()) return {};
  // The next attempt finds no objects, and deletes the intents.
  for (const std::string& object : removed) objects_.push_back({object});
  return forgotten.error();
}

}  // namespace outport::store
