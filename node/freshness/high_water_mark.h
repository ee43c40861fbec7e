#pragma once

#include <optional>

#include "node/freshness/overlay.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The newest mark of an answer that this node showed before its replica had passed the answer
// (row keys::kHighWaterMark). The mark is synced before the answer leaves. The answers are lost
// when the process ends; the mark tells the next process that rows behind it may be older than
// those answers. Safe for all threads; every method blocks.
class HighWaterMark {
 public:
  explicit HighWaterMark(MetaStore& meta) : meta_(meta) {}

  // The mark of an earlier process; nullopt if there is none.
  Result<std::optional<Mark>> Load();
  // Returns once this mark, or a mark that covers it, survives a power cut.
  Result<void> Raise(const Mark& mark);

 private:
  bool IsCovered(const Mark& mark) const;

  MetaStore& meta_;
  mutable Mutex mutex_;
  std::optional<Mark> synced_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
