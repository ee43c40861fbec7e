#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/content_garbage.h"
#include "outport/v1/replication.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The node's copy of the store's rows, at one point of the store's log.
//
//   g/<generation, 16 hex>/<key of the store's layout>   rows; one generation serves
//   user/<name>, grant/<subject>, revocation/<…>         who may do what, of no generation
//   replica                                              [ReplicaRow]: what serves, and the point
//
// A batch and its point are one synced commit. A snapshot is written beside the serving generation
// and takes its place in one commit; a crash before leaves the older one serving. Generations that
// do not serve are removed in steps. Who may do what applies at once and is mirrored to the
// AccessDirectory.
//
// A node may be limited to patterns of repositories: the permissions stand in the row `replica`,
// and the patterns that the rows were cut to. Both are mirrored to the AccessDirectory.
//
// Where the metadata takes no writes any more (a full disk), rows and position() stay as they are,
// and grow old; the AccessDirectory follows all the same: who was shut out stays out.
//
// The accessors are safe for all threads and do not block; the others block, one call at a time.
class Replica {
 public:
  // Loads the point and who may do what. `directory` outlives the replica.
  static Result<std::unique_ptr<Replica>> Open(MetaStore& meta, AccessDirectory& directory);

  v1::Position position() const;  // an empty epoch: nothing was ever applied
  // Up to where the log was taken: beyond position() for the directory alone.
  v1::Position followed() const;
  v1::FreshnessPolicy policy() const;
  // What the store said of the fleet's authorities, if it ever did. Blocks.
  std::optional<v1::TrustRow> Trust() const;
  // Patterns of the repositories whose rows serve; none: all.
  std::vector<std::string> scope() const;
  uint64_t generation() const;
  int64_t proven_ms() const;
  // Notified after position() has moved.
  Notifier& Moved() { return moved_; }

  // What the store says before all else: under what the rows may be served, and what this node may.
  // Permissions that go are in force at once, others with the rows that they let come.
  Result<void> SetTerms(const v1::StoreMessage::Welcome& welcome);
  // kFailedPrecondition if the batch does not begin where the replica stands, kCorrupt if its hash
  // does not follow: nothing was applied then.
  Result<void> Apply(const v1::StoreMessage::Batch& batch);
  // The parts of one snapshot, in order; the last one makes it serve.
  Result<void> ApplySnapshot(const v1::StoreMessage::SnapshotPart& part);
  // Forgets a snapshot that will not be finished: its rows are garbage.
  void AbandonSnapshot();
  // Keeps the wall time of the last proof of freshness for the next process.
  Result<void> RecordProof(int64_t proven_ms);
  // Removes some rows of generations that neither serve nor are being written; false when none is
  // left. Between two calls, batches and parts of a snapshot may be applied.
  Result<bool> RemoveGarbage();
  // Takes up some of the manifests' bytes that are here, then, step by step, removes those of them
  // that no row refers to; each false when it is done. REQUIRES, before the first step: the rows
  // are proven to be younger than the taking up. Bytes can be here before their row is.
  Result<bool> CollectContents() { return contents_.Collect(); }
  Result<bool> RemoveContents() { return contents_.Step(generation()); }
  // Notified after rows were left to RemoveGarbage().
  Notifier& LeftBehind() { return left_behind_; }

 private:
  struct Shadow {
    uint64_t generation = 0;
    std::vector<v1::Change> access;  // who may do what; before all other rows
    bool access_done = false;
  };
  Replica(MetaStore& meta, AccessDirectory& directory, v1::ReplicaRow row);

  v1::ReplicaRow Row() const;
  v1::ReplicaRow FollowedRow() const;
  void Install(const v1::ReplicaRow& row);
  // Tells the directory what this node may do, where it has `row`.
  void Permit(const v1::ReplicaRow& row);
  // False where the metadata is read-only, also if it is so since this very write.
  Result<bool> Keep(const v1::ReplicaRow& row, MetaTransaction::Durability durability);
  // Commits, and then shows `row`; or, where the metadata is read-only, only follows it.
  Result<void> CommitOrFollow(MetaTransaction& transaction,
                              const std::optional<v1::ReplicaRow>& row);
  Result<void> LoadAccess();
  Result<uint64_t> FreeGeneration() const;
  Result<void> ReplaceAccess(MetaTransaction& transaction);

  MetaStore& meta_;
  AccessDirectory& directory_;
  Notifier moved_;
  Notifier left_behind_;
  mutable Mutex mutex_;
  v1::ReplicaRow row_ OUTPORT_GUARDED_BY(mutex_);
  // What `row_` would be, had it been written. Nothing is written behind what was not.
  std::optional<v1::ReplicaRow> unwritten_ OUTPORT_GUARDED_BY(mutex_);
  // Of the one caller.
  std::optional<Shadow> shadow_;
  ContentGarbage contents_;
};

v1::Position PositionOf(const v1::ReplicaRow& row);

}  // namespace outport::node
