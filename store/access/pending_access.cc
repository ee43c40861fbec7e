#include "store/access/pending_access.h"

#include <utility>

namespace outport::store {
namespace {

// Whether the store may be able to write the same change later.
bool IsTemporary(const Error& error) {
  return error.code == ErrorCode::kNoSpace || error.code == ErrorCode::kUnavailable;
}

// Whether another change has made a pending change needless or impossible for good.
bool IsMoot(const Error& error) {
  return error.code == ErrorCode::kNotFound || error.code == ErrorCode::kFailedPrecondition ||
         error.code == ErrorCode::kInvalidArgument;
}

}  // namespace

Result<uint64_t> PendingAccess::Commit(Write write, const Narrow& narrow) {
  const Result<void> settled = Settle();
  const Result<uint64_t> written = settled.has_value() ? write() : settled.error();
  if (written.has_value()) return written;
  if (settled.has_value() && !IsTemporary(written.error())) return written;
  TRY(std::optional<Change> change, narrow());
  if (!change.has_value()) return written;
  TRY_VOID(Add({.change = *std::move(change), .write = std::move(write)}, written.error()));
  return uint64_t{0};
}

Result<void> PendingAccess::Add(Entry entry, const Error& why) {
  const auto added = std::make_shared<const Entry>(std::move(entry));
  {
    MutexLock lock(mutex_);
    if (entries_.size() >= kMaxChanges) {
      return Error{why.code, "too many changes of access wait to become durable: " + why.message};
    }
    entries_.push_back(added);
  }
  added->change.follow();
  changed_.Notify();
  log_.Warning("access change in force but not durable",
               {{"action", added->change.action}, {"error", why.message}});
  return {};
}

std::shared_ptr<const PendingAccess::Entry> PendingAccess::First() const {
  MutexLock lock(mutex_);
  return entries_.empty() ? nullptr : entries_.front();
}

Result<void> PendingAccess::Settle() {
  if (Count() == 0) return {};
  MutexLock settling(settling_);
  while (const std::shared_ptr<const Entry> entry = First()) {
    const Result<uint64_t> written = entry->write();
    if (!written.has_value() && !IsMoot(written.error())) return written.error();
    {
      MutexLock lock(mutex_);
      entries_.pop_front();
    }
    // While the change was in the list, the directories showed each newer row as it makes it.
    entry->change.follow();
    if (written.has_value()) {
      log_.Info("access change durable", {{"action", entry->change.action}});
    } else {
      log_.Warning("pending access change dropped",
                   {{"action", entry->change.action}, {"error", written.error().message}});
    }
    changed_.Notify();
  }
  return {};
}

void PendingAccess::SettleAtEnd() {
  const Result<void> settled = Settle();
  if (settled.has_value()) return;
  log_.Warning("access changes lost at stop",
               {{"count", Count()}, {"error", settled.error().message}});
}

PendingAccess::Value PendingAccess::Apply(const std::string& key, Value value) const {
  std::deque<std::shared_ptr<const Entry>> entries;
  {
    MutexLock lock(mutex_);
    entries = entries_;
  }
  for (const auto& entry : entries) {
    const auto edit = entry->change.rows.find(key);
    if (edit != entry->change.rows.end()) value = edit->second(std::move(value));
  }
  return value;
}

bool PendingAccess::Contains(const std::string& key) const { return Keys().contains(key); }

std::set<std::string> PendingAccess::Keys() const {
  std::set<std::string> keys;
  MutexLock lock(mutex_);
  for (const auto& entry : entries_) {
    for (const auto& [key, edit] : entry->change.rows) keys.insert(key);
  }
  return keys;
}

size_t PendingAccess::Count() const {
  MutexLock lock(mutex_);
  return entries_.size();
}

std::optional<std::string> PendingAccess::Warning() const {
  const size_t count = Count();
  if (count == 0) return std::nullopt;
  return std::to_string(count) + (count == 1 ? " change" : " changes") +
         " of access in force, but not yet durable: the store could not write what takes access "
         "away; free space; if the store restarts before this warning ends, repeat the change";
}

}  // namespace outport::store
