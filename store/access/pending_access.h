#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"

namespace outport::store {

// Changes that take access away, and that are in force although the store could not write them,
// because its disk is full or its metadata is read-only. The directories of users, grants,
// revocations and nodes show the rows as these changes make them. The store tries to write the
// changes again, in their order, until it succeeds. They are lost if the process ends before that.
// Safe for several threads.
class PendingAccess {
 public:
  // The most changes that can be pending at once.
  static constexpr size_t kMaxChanges = 1000;

  // The value of a row, or nullopt if there is no such row.
  using Value = std::optional<std::string>;
  using Edit = std::function<Value(Value value)>;
  // A change of one or more rows. The functions own what they use. They are called more than once.
  struct Change {
    std::string action;                // as in the audit log, for example "user.disable"
    std::map<std::string, Edit> rows;  // by key; an edit returns the row after the change
    std::function<void()> follow;      // brings the directories up to date with these rows
  };
  // Writes a change and updates the directories. Returns the sequence of the change.
  using Write = std::function<Result<uint64_t>()>;
  // Returns the change, if it only takes access away, else nullopt.
  using Narrow = std::function<Result<std::optional<Change>>()>;

  explicit PendingAccess(Log log) : log_(std::move(log)) {}

  // Writes a change after all pending ones. If the store cannot write it or a pending one now, and
  // the change only takes access away, the change is in force and pending when this returns, and
  // the result is 0. Blocks.
  Result<uint64_t> Commit(Write write, const Narrow& narrow);
  // Tries to write the pending changes. Drops a change that another one has made needless or
  // impossible. After any other error the change stays, and the error is returned. Blocks.
  Result<void> Settle();
  // Settles once more, before the process ends. Logs how many changes are lost then. Blocks.
  void SettleAtEnd();

  // Returns the row at `key`, whose stored value is `value`, after all pending changes.
  Value Apply(const std::string& key, Value value) const;
  bool Contains(const std::string& key) const;
  std::set<std::string> Keys() const;
  size_t Count() const;
  // Returns the warning for /readyz, or nullopt if no change is pending.
  std::optional<std::string> Warning() const;
  // Notified after each change of the list.
  Notifier& Changed() { return changed_; }

 private:
  struct Entry {
    Change change;
    Write write;
  };
  Result<void> Add(Entry entry, const Error& why);
  std::shared_ptr<const Entry> First() const;

  const Log log_;
  Mutex settling_;  // held while pending changes are written: they are written in their order
  mutable Mutex mutex_;
  std::deque<std::shared_ptr<const Entry>> entries_ OUTPORT_GUARDED_BY(mutex_);
  Notifier changed_;
};

}  // namespace outport::store
