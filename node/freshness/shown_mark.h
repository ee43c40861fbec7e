#pragma once

#include <optional>

#include "node/freshness/overlay.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The newest mark of an answer that this node has shown before its replica had passed it (row
// "shown" [ShownRow]). It is on the disk before the answer leaves: the answers themselves are lost
// when the process ends, and rows behind the mark may be older than what was shown. Safe for all
// threads; every method blocks.
class ShownMark {
 public:
  explicit ShownMark(MetaStore& meta) : meta_(meta) {}

  // What an earlier process has left; nullopt if there is nothing.
  Result<std::optional<Mark>> Load();
  // Returns once this mark, or one that covers it, survives a power cut.
  Result<void> Raise(const Mark& mark);

 private:
  bool IsCovered(const Mark& mark) const;

  MetaStore& meta_;
  mutable Mutex mutex_;
  std::optional<Mark> synced_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::node
