#pragma once

#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "store/gc/active_run.h"
#include "store/gc/content_key.h"
#include "store/gc/parts.h"

namespace outport::store {

// Returns the first links of the queue that are due at `until_ms`, in the order of the queue, at
// most `limit` of them, after the row with the key `after`. A reader that goes on from the last
// row that it removed does not make the database step over all deleted rows again. Blocks.
Result<std::vector<QueuedLink>> ReadDueLinks(const MetaView& meta, int64_t until_ms,
                                             const std::string& after, size_t limit);

// Removes links that are due, and the blobs that lose their last link. For one thread at a time;
// blocks.
class LinkSweep {
 public:
  static constexpr size_t kBatch = 64;

  // The arguments outlive this object.
  LinkSweep(const CollectorParts& parts, ActiveRun& run) : parts_(parts), run_(run) {}

  // Removes these links in one transaction, at most kBatch of them. Looks at each link again under
  // the lock of its blob. A link that a manifest refers to leaves the queue. A link whose lease or
  // grace period is not over goes back into the queue. A link to which more manifests that no
  // longer exist refer than one look deletes stays where it was, for another look. So does a link
  // for which the look meets a corrupt row; the run logs it. Returns these links.
  Result<std::vector<QueuedLink>> Run(std::vector<QueuedLink> links);

 private:
  struct Locked;  // the batch under its locks
  struct Look;    // at one link
  Result<std::vector<QueuedLink>> RunLocked(MetaTransaction& transaction,
                                            const std::vector<QueuedLink>& links, v1::RunRow& run,
                                            std::vector<Error>& skipped) const;
  static Result<Look> LookAt(Locked& locked, const QueuedLink& link);
  Result<void> RemoveOne(Locked& locked, const QueuedLink& link, Look look) const;

  const CollectorParts& parts_;
  ActiveRun& run_;
};

}  // namespace outport::store
