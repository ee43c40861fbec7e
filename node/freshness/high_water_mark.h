#pragma once

#include <optional>

#include "node/freshness/overlay.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// Stores the high-water mark (row keys::kHighWaterMark): the newest position in an answer that this
// node sent before its replica had reached that position. The node syncs the mark before the answer
// leaves. The process's answers are lost when it ends. The mark tells the next process that rows of
// the replica may be older than those answers until the replica reaches the mark. Safe for all
// threads; every method blocks.
class HighWaterMark {
 public:
  explicit HighWaterMark(MetaStore& meta) : meta_(meta) {}

  // Reads the mark of an earlier process; nullopt if no process has stored one.
  Result<std::optional<Mark>> Load();
  // Returns when `mark`, or a newer mark, survives a power cut.
  Result<void> Raise(const Mark& mark);

 private:
  bool IsCovered(const Mark& mark) const;

  MetaStore& meta_;
  mutable Mutex mutex_;
  std::optional<Mark> synced_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
