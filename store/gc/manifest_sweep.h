#pragma once

#include <chrono>
#include <string>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "store/gc/active_run.h"
#include "store/gc/content_key.h"
#include "store/gc/parts.h"

namespace outport::store {

// Removes manifests that nothing refers to: they have no tag, no index of the repository lists
// them, and their subject, if they have one, is no manifest of the repository. For one thread at a
// time; blocks.
class ManifestSweep {
 public:
  // The references outlive this object. A candidate waits for the grace period, or for `keep_for`
  // if that is longer.
  ManifestSweep(const CollectorParts& parts, ActiveRun& run,
                std::chrono::milliseconds keep_for = {})
      : parts_(parts), run_(run), keep_for_(keep_for) {}

  enum class Outcome {
    kRemoved,
    kReferenced,  // something refers to it, so it is no candidate any longer
    kWaits,       // its grace period or its lease is not over, its bytes are no manifest, or a row
                  // is corrupt
    kGone,        // the repository has no such manifest
  };
  // Removes one candidate in one transaction, and puts it in the trash of the run. Its children
  // become candidates. Looks at everything again under the locks of ManifestRemoval. A corrupt row
  // that it needs does not fail the run: the run logs it.
  Result<Outcome> Remove(const ContentKey& content);

 private:
  struct Candidate;  // what is known before the transaction
  Result<Outcome> TryRemove(const ContentKey& content);
  Result<Outcome> RemoveLocked(MetaTransaction& transaction, const Candidate& candidate,
                               v1::RunRow& run) const;

  const CollectorParts& parts_;
  ActiveRun& run_;
  const std::chrono::milliseconds keep_for_;
};

}  // namespace outport::store
