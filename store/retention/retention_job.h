#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/content/tag_rules.h"
#include "store/gc/active_run.h"
#include "store/gc/collector_jobs.h"
#include "store/gc/parts.h"
#include "store/retention/retention_planner.h"

namespace outport::store {

// Deletes the tags of a plan, and then its untagged manifests. Looks at each tag again under its
// lock: a tag stays if it got another digest since the plan, if the row of its last pull has
// changed since and the policy looks at pulls, if its subject has come to the repository, or if a
// rule protects it. A push of the same digest changes nothing. Deleted tags go to the trash of the
// run, so that an undo restores them. For one thread at a time; blocks.
class RetentionJob final : public Job {
 public:
  static constexpr size_t kTagsPerStep = 50;  // in one transaction
  static constexpr size_t kManifestsPerStep = 10;

  // `parts` outlives this object.
  RetentionJob(const CollectorParts& parts, std::unique_ptr<ActiveRun> run, DropPlan plan)
      : parts_(parts), run_(std::move(run)), plan_(std::move(plan)) {}
  const std::string& run() const override { return run_->id(); }
  Result<uint64_t> Step() override;
  Result<void> Fail(const Error& why) override;

 private:
  Result<uint64_t> DeleteTags();
  Result<uint64_t> RemoveManifests();
  // A tag, and what the job finds out about it without locks.
  struct Looked {
    const DroppedTag& dropped;
    bool is_pulled = false;  // since the plan, also through indexes, or nobody can tell
    std::vector<Digest> subjects = {};
  };
  Result<std::vector<Looked>> LookAtTags() const;
  // Returns whether the tag was deleted; false: it stays.
  Result<bool> DeleteTag(MetaTransaction& transaction, const Looked& looked,
                         const TagProtection& protection) const;
  static Result<bool> IsPulledNow(MetaTransaction& transaction, const DroppedTag& dropped);

  const CollectorParts& parts_;
  const std::unique_ptr<ActiveRun> run_;
  const DropPlan plan_;
  size_t next_tag_ = 0;
  size_t next_manifest_ = 0;
};

}  // namespace outport::store
