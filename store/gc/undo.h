#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/gc/active_run.h"
#include "store/gc/content_key.h"
#include "store/gc/parts.h"

namespace outport::store {

// Returns whether the repository has the link or the tag of a row of the trash, for example because
// a client pushed it again. Then it is not lost without this row. Returns false if the row is
// corrupt.
Result<bool> IsBack(MetaTransaction& transaction, const KeyValue& row);

// Restores what a run removed, as far as it is in the trash: first links with their blobs, then
// manifests, children before their indexes, then tags. Links come back condemned from now on, so
// that the collector does not take them again at once. All content comes back with its last pulls,
// so that a plan shows them, and so that retention does not take them either. A tag that somebody
// set again since the run stays as it is, also if it was deleted once more. A step reads at most
// kBatch rows, and begins no restore after StepTime. It restores them in transactions under the
// locks of a push, so an undo runs while clients push. What a transaction restores leaves the trash
// in the same transaction; so an undo that was interrupted begins again and restores the rest. For
// one thread at a time; blocks.
class Undo {
 public:
  static constexpr size_t kBatch = 64;

  // `parts` outlives this object. `run` is in the state UNDOING.
  Undo(const CollectorParts& parts, std::unique_ptr<ActiveRun> run);

  // Restores the next batch. Returns the number of rows that it looked at. 0: the undo is complete,
  // and the run has the state UNDONE.
  Result<uint64_t> Step();

  // Ends the undo. What it has not restored stays in the trash, so that it can be undone again.
  Result<void> Fail(const Error& why);

  const std::string& run() const { return run_->id(); }

 private:
  enum class Phase { kLinks, kManifests, kTags, kDone };

  struct TrashedTag {
    std::string key;         // of its row in the trash
    int64_t updated_ms = 0;  // when it was set
    std::optional<v1::PullRow> pull = {};
  };
  using TrashedTags = std::map<Tag, TrashedTag>;

  static std::string_view KindOf(Phase phase);
  Result<uint64_t> Restore(const std::vector<KeyValue>& rows);
  Result<void> RestoreLinks(const std::vector<KeyValue>& rows);
  Result<bool> RestoreManifest(const ContentKey& content);
  Result<bool> RestoreOrDefer(const KeyValue& row);
  Result<uint64_t> RestoreManifests(const std::vector<KeyValue>& rows);
  Result<void> ReadTags(const std::vector<KeyValue>& rows);
  Result<uint64_t> RestoreTags();
  Result<bool> SetTags(const ContentKey& content, const TrashedTags& tags);
  Result<bool> LacksChild(const ContentKey& content, const std::string& media_type) const;
  void NextPhase();
  uint64_t NotRestored(const v1::RunRow& run) const;
  Result<void> Finish();

  const CollectorParts& parts_;
  const std::unique_ptr<ActiveRun> run_;
  Phase phase_ = Phase::kLinks;
  std::string after_ = {};  // the key of the last row of the phase that was read
  // Manifests whose children are still in the trash wait for the next pass.
  int pass_ = 0;
  uint64_t deferred_ = 0;
  uint64_t restored_in_pass_ = 0;
  bool last_pass_ = false;
  std::map<ContentKey, TrashedTags> tags_;  // that were read and not yet restored
  // The rows that could not be restored. Each pass tries all such manifests again.
  uint64_t lost_links_ = 0;
  uint64_t lost_in_pass_ = 0;
  uint64_t lost_tags_ = 0;
};

}  // namespace outport::store
