#include "store/gc/trash_purge.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/trash.h"
#include "store/gc/content_key.h"
#include "store/gc/queue_status.h"
#include "store/gc/runs.h"
#include "store/gc/undo.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;

// A deletion by a client that began within the hour of its run commits before this time has passed
// since the end of the run.
constexpr int64_t kLateDeletionMs = 600'000;

// Whether no transaction adds anything to the trash of the run any more, and the run may become
// FREED when its trash is empty.
bool IsClosed(const v1::RunRow& run, int64_t trash_ms, int64_t now_ms) {
  const bool by_clients = run.kind() == v1::RUN_KIND_CLIENTS;
  return run.ended_ms() + trash_ms + (by_clients ? kLateDeletionMs : 0) <= now_ms;
}

size_t BatchOf(std::string_view kind) {
  if (kind == trash_kind::kBlob) return TrashPurge::kBlobs;
  return kind == trash_kind::kManifest ? TrashPurge::kManifests : TrashPurge::kOtherRows;
}

// Keeps only as many rows of blobs as have `bytes` together. What need not go stays restorable.
Result<void> KeepFirst(std::vector<KeyValue>& rows, uint64_t bytes) {
  uint64_t sum = 0;
  size_t count = 0;
  while (count < rows.size() && sum < bytes) {
    const KeyValue& row = rows[count++];
    TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
    sum += trash.blob().size_bytes();
  }
  rows.resize(count);
  return {};
}

}  // namespace

TrashPurge::TrashPurge(const CollectorParts& parts, const Space& space)
    : parts_(parts),
      space_(space),
      intents_({.meta = parts.meta,
                .blobs = parts.bytes,
                .durability = MetaTransaction::Durability::kSynced,
                .owner = parts.owner.id()}),
      stuck_(parts) {}

// Looks how many bytes are free. Those that came since the last look are those of removed objects,
// as far as there are such.
Result<void> TrashPurge::Measure() {
  TRY(const uint64_t free_bytes, parts_.bytes.FreeBytes());
  uint64_t came = free_bytes - std::min(free_bytes, free_bytes_);
  free_bytes_ = free_bytes;
  for (Settling& removed : settling_) {
    const uint64_t shown = std::min(removed.bytes, came);
    removed.bytes -= shown;
    came -= shown;
  }
  const int64_t now_ms = parts_.store_clock.NowMs();
  std::erase_if(settling_, [now_ms](const Settling& removed) {
    return removed.bytes == 0 || removed.until_ms <= now_ms;
  });
  return {};
}

Result<TrashPurge::Shortage> TrashPurge::FindShortage() {
  Shortage shortage;
  if (space_.free_at_once_below == 0) return shortage;
  TRY_VOID(Measure());
  uint64_t soon_bytes = free_bytes_;
  for (const Settling& removed : settling_) soon_bytes += removed.bytes;
  uint64_t wanted = space_.free_at_once_below;
  const auto demand = space_.demand == nullptr ? std::nullopt : space_.demand->Largest();
  if (demand.has_value()) {
    const auto has_room = [&](uint64_t bytes) {
      return bytes >= space_.headroom_bytes && bytes - space_.headroom_bytes >= demand->bytes;
    };
    if (has_room(free_bytes_)) {
      space_.demand->Satisfy(free_bytes_ - space_.headroom_bytes);
    } else {
      TRY(const TrashStatus trash, ReadTrashStatus(parts_.meta));
      const uint64_t most = soon_bytes + trash.bytes;
      if (!has_room(most)) {
        space_.demand->Refuse(most - std::min(most, space_.headroom_bytes));
      } else if (space_.headroom_bytes + demand->bytes > wanted) {
        wanted = space_.headroom_bytes + demand->bytes;
        shortage.by = demand->by;
      }
    }
  }
  shortage.missing_bytes = wanted - std::min(wanted, soon_bytes);
  return shortage;
}

Result<bool> TrashPurge::HasTrash(const std::string& run, std::string_view kind) const {
  TRY(const auto rows, parts_.meta.Scan({.prefix = keys::TrashOf(run, kind), .limit = 1}));
  return !rows.empty();
}

// Runs are few, and their ids are in order of time. So this begins with the oldest trash.
Result<std::optional<TrashPurge::Current>> TrashPurge::FindEnded() const {
  const int64_t now_ms = parts_.store_clock.NowMs();
  TRY(const std::vector<v1::RunRow> runs, Runs(parts_.meta).All());
  for (const v1::RunRow& run : runs) {
    if (IsInProgress(run) || run.state() == v1::RUN_STATE_FREED) continue;
    const int64_t end_ms = run.ended_ms() + parts_.times.trash.count();
    if (end_ms > now_ms) continue;
    std::vector<std::string_view> kinds;
    if (end_ms + parts_.times.grace.count() <= now_ms) {
      // The manifests go first: an undo in between then counts their tags as lost.
      kinds = {trash_kind::kTag, trash_kind::kManifest};
    }
    kinds.insert(kinds.end(), {trash_kind::kLink, trash_kind::kBlob});
    bool any = false;
    for (const std::string_view kind : kinds) {
      TRY(const bool has, HasTrash(run.id(), kind));
      any = any || has;
    }
    if (any) return Current{.run = run.id(), .kinds = std::move(kinds)};
    TRY(const bool rest, HasTrash(run.id(), {}));
    const bool may_end =
        run.state() != v1::RUN_STATE_UNDONE && IsClosed(run, parts_.times.trash.count(), now_ms);
    if (may_end && !rest) return Current{.run = run.id(), .kinds = {}};
  }
  return std::optional<Current>();
}

// Also finds the run of the deletions by clients in this hour. Its trash still grows.
Result<std::optional<TrashPurge::Current>> TrashPurge::FindEarly() const {
  TRY(const std::vector<v1::RunRow> runs, Runs(parts_.meta).All());
  for (const v1::RunRow& run : runs) {
    if (IsInProgress(run) || run.state() == v1::RUN_STATE_FREED) continue;
    TRY(const bool has, HasTrash(run.id(), trash_kind::kBlob));
    if (has) return Current{.run = run.id(), .kinds = {trash_kind::kBlob}, .early = true};
  }
  return std::optional<Current>();
}

Result<uint64_t> TrashPurge::Step() {
  TRY_VOID(RemoveObjects());
  if (current_.has_value() && current_->early) current_.reset();
  if (!current_.has_value()) {
    TRY(current_, FindEnded());
  }
  return FreeCurrent();
}

Result<uint64_t> TrashPurge::StepEarly() {
  TRY_VOID(RemoveObjects());
  TRY(const Shortage shortage, FindShortage());
  missing_bytes_ = shortage.missing_bytes;
  const bool goes_on = current_.has_value() && current_->early;
  if (missing_bytes_ == 0) {
    if (goes_on) current_.reset();
    return uint64_t{0};
  }
  if (!goes_on) {
    TRY(auto found, FindEarly());
    if (!found.has_value()) return uint64_t{0};
    current_ = std::move(found);
  }
  if (logged_run_ != current_->run || logged_by_ != shortage.by) {
    parts_.log.Warning("trash freed early", {{"run", current_->run},
                                             {"missing_bytes", missing_bytes_},
                                             {"user", shortage.by.user},
                                             {"repository", shortage.by.repository}});
    logged_run_ = current_->run;
    logged_by_ = shortage.by;
  }
  return FreeCurrent();
}

// Frees the next batch of the current run. Returns 0 if there is no such run, or if the disk
// removes no objects.
Result<uint64_t> TrashPurge::FreeCurrent() {
  while (current_.has_value()) {
    if (current_->kinds.empty()) {
      const std::string run = std::exchange(current_, std::nullopt)->run;
      TRY_VOID(FinishRun(run));
      return uint64_t{1};
    }
    if (current_->kinds.back() == trash_kind::kBlob && stuck_.HoldsUp()) return uint64_t{0};
    const Result<uint64_t> freed = FreeBatch();
    if (!freed.has_value() && freed.error().code == ErrorCode::kCancelled) {
      current_.reset();
      return uint64_t{0};
    }
    if (!freed.has_value() || *freed > 0) return freed;
    current_->kinds.pop_back();
    current_->after.clear();
  }
  return uint64_t{0};
}

// Frees the next batch of the current kind, and returns its items. Returns 0 if there is none.
Result<uint64_t> TrashPurge::FreeBatch() {
  const std::string_view kind = current_->kinds.back();
  TRY(std::vector<KeyValue> rows, parts_.meta.Scan({.prefix = keys::TrashOf(current_->run, kind),
                                                    .after = current_->after,
                                                    .limit = BatchOf(kind)}));
  if (rows.empty()) return uint64_t{0};
  if (current_->early) TRY_VOID(KeepFirst(rows, missing_bytes_));
  if (kind == trash_kind::kBlob) {
    TRY_VOID(FreeBlobs(rows));
    TRY_VOID(RemoveObjects());
  } else if (kind == trash_kind::kManifest) {
    TRY_VOID(FreeManifests(rows));
  } else {
    TRY_VOID(FreeRows(rows, kind));
  }
  current_->after = rows.back().key;
  const bool other = kind != trash_kind::kBlob && kind != trash_kind::kManifest;
  return other ? ItemsOfRows(rows.size()) : rows.size();
}

// Runs `work` in a transaction, and adds what it freed to the row of the run.
Result<void> TrashPurge::Commit(
    const std::string& run,
    const std::function<Result<void>(MetaTransaction&, v1::RunCounts&)>& work) {
  v1::RunCounts freed;
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    freed.Clear();
    TRY_VOID(work(transaction, freed));
    TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(run)));
    // An administrator undoes the run, or a burst of background work continues it.
    if (row.has_value() && IsInProgress(*row)) {
      return Error{ErrorCode::kCancelled, "run " + run + " is in progress again"};
    }
    if (row.has_value()) {
      Add(*row->mutable_freed(), freed);
      TRY_VOID(WriteRow(transaction, keys::Run(run), *row));
    }
    return parts_.lease.Check(transaction);
  }));
  Add(freed_, freed);
  return {};
}

// The rows are in byte order of the digests, so this locks blobs in the order of all transactions.
Result<void> TrashPurge::FreeBlobs(const std::vector<KeyValue>& rows) {
  const std::string run = current_->run;
  std::vector<std::string> objects;
  uint64_t object_bytes = 0;
  TRY_VOID(Commit(run, [&](MetaTransaction& transaction, v1::RunCounts& freed) -> Result<void> {
    objects.clear();
    object_bytes = 0;
    for (const KeyValue& row : rows) {
      TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
      TRY(const Digest digest, Digest::Parse(trash.blob().digest()));
      const std::string key = keys::Blob(digest);
      TRY(const auto blob, LockRow<v1::BlobRow>(transaction, key));
      TRY(const auto still, transaction.Get(row.key));
      if (still != row.value) continue;  // a push has taken the blob out of the trash
      TRY_VOID(transaction.Delete(row.key));
      const bool mine =
          blob.has_value() && blob->state() == v1::BLOB_STATE_TRASHED && blob->run() == run;
      if (!mine) continue;  // whoever replaced the row has removed the object
      TRY_VOID(transaction.Delete(key));
      if (blob->object() != trash.blob().object()) continue;  // the object is in quarantine
      TRY_VOID(intents_.Record(transaction, blob->object(), digest));
      objects.push_back(blob->object());
      object_bytes += blob->size_bytes();
      freed.set_blobs(freed.blobs() + 1);
      freed.set_blob_bytes(freed.blob_bytes() + blob->size_bytes());
    }
    return {};
  }));
  objects_ = std::move(objects);
  object_bytes_ = object_bytes;
  return {};
}

// Removes the objects of the last batch, and then their intents. If the disk fails for an object,
// its intent stays, and the object is tried again later; the other objects do not wait for it. If
// the metadata fail, the next step tries again.
Result<void> TrashPurge::RemoveObjects() {
  TRY_VOID(stuck_.Retry());
  if (objects_.empty()) return {};
  // Measures right before and after, so that pushes meanwhile count for little.
  const bool measures = space_.free_at_once_below > 0;
  if (measures) TRY_VOID(Measure());
  if (const bool all = parts_.bytes.Remove(objects_).has_value(); all && measures) {
    const int64_t until_ms = parts_.store_clock.NowMs() + milliseconds(kSettle).count();
    settling_.push_back({.bytes = std::exchange(object_bytes_, 0), .until_ms = until_ms});
    TRY_VOID(Measure());
  } else if (!all) {
    std::erase_if(objects_, [&](const std::string& object) {
      const Result<void> removed = parts_.bytes.Remove({&object, 1});
      if (removed.has_value()) return false;
      stuck_.Add(object, removed.error());
      return true;
    });
  }
  stuck_.NoteBatch(!objects_.empty());
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    for (const std::string& object : objects_) {
      TRY_VOID(transaction.Delete(keys::Intent(object)));
    }
    return {};
  }));
  objects_.clear();
  return {};
}

Result<void> TrashPurge::FreeManifests(const std::vector<KeyValue>& rows) {
  std::vector<ContentKey> manifests;
  std::set<std::string> contents;  // sorted, as all transactions lock them
  std::set<std::string> own;
  for (const KeyValue& row : rows) {
    TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
    TRY(RepositoryName repository, RepositoryName::Parse(trash.manifest().repository()));
    TRY(Digest digest, Digest::Parse(trash.manifest().digest()));
    contents.insert(keys::Content(digest));
    own.insert(keys::ManifestOf(repository, digest));
    manifests.push_back({std::move(repository), std::move(digest)});
  }
  const std::string run = current_->run;
  return Commit(run, [&](MetaTransaction& transaction, v1::RunCounts& freed) -> Result<void> {
    for (const std::set<std::string>* keys_to_lock : {&contents, &own}) {
      for (const std::string& key : *keys_to_lock) {
        TRY(const auto locked, transaction.GetForUpdate(key));
      }
    }
    for (const auto& [repository, digest] : manifests) {
      const std::string key =
          keys::Trash(run, trash_kind::kManifest, repository.ToString(), digest.ToString());
      TRY(const bool still, HasRow(transaction, key));
      if (!still) continue;
      TRY_VOID(FreeManifest(transaction, run, repository, digest));
      freed.set_manifests(freed.manifests() + 1);
    }
    return {};
  });
}

// Does not count what the repository has got back: an undo does not miss it.
Result<void> TrashPurge::FreeRows(const std::vector<KeyValue>& rows, std::string_view kind) {
  return Commit(current_->run,
                [&](MetaTransaction& transaction, v1::RunCounts& freed) -> Result<void> {
                  uint64_t count = 0;
                  for (const KeyValue& row : rows) {
                    TRY(const bool still, HasRow(transaction, row.key));
                    if (!still) continue;
                    TRY_VOID(transaction.Delete(row.key));
                    TRY(const bool back, IsBack(transaction, row));
                    if (!back) ++count;
                  }
                  if (kind == trash_kind::kLink) {
                    freed.set_links(count);
                  } else {
                    freed.set_tags(count);
                  }
                  return {};
                });
}

Result<void> TrashPurge::FinishRun(const std::string& run) {
  TRY(const bool rest, HasTrash(run, {}));
  if (rest) return {};
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(run)));
    const bool ended = row.has_value() &&
                       (row->state() == v1::RUN_STATE_DONE || row->state() == v1::RUN_STATE_FAILED);
    if (!ended || !IsClosed(*row, parts_.times.trash.count(), parts_.store_clock.NowMs())) {
      return {};
    }
    row->set_state(v1::RUN_STATE_FREED);
    TRY_VOID(WriteRow(transaction, keys::Run(run), *row));
    return parts_.lease.Check(transaction);
  }));
  return {};
}

}  // namespace outport::store
