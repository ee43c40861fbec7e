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

// The node's copy of the store's rows, at one position of the store's log. Rows of generations,
// access rows and the row `replica` are laid out in registry/records/keys.h.
//
// One synced commit writes a batch and its position. A snapshot is written as a new generation
// beside the serving one, and one commit replaces the serving generation; after a crash before that
// commit, the old generation still serves. Generations that do not serve are removed in steps.
// Access rows belong to no generation: they apply at once, and the AccessDirectory mirrors them.
//
// A node may be limited to patterns of repositories. The row `replica` holds the node's
// permissions, and the patterns whose rows it received. The AccessDirectory mirrors both.
//
// If the metadata is read-only (a full disk), rows and position() stay as they are and grow stale.
// The AccessDirectory still follows the store, so that revocations remain in force.
//
// The accessors are safe for all threads and do not block. The other methods block; one call at a
// time.
class Replica {
 public:
  // Loads the position, and fills `directory` from the access rows. `directory` outlives the
  // replica.
  static Result<std::unique_ptr<Replica>> Open(MetaStore& meta, AccessDirectory& directory);

  v1::Position position() const;  // empty epoch: nothing was ever applied
  // The position that the AccessDirectory has reached. It is ahead of position() only while the
  // metadata is read-only.
  v1::Position followed() const;
  v1::FreshnessPolicy policy() const;
  // The fleet's trust bundle, if the store has sent one. Blocks.
  std::optional<v1::TrustRow> Trust() const;
  // Patterns of the repositories whose rows this replica has; none: all repositories.
  std::vector<std::string> scope() const;
  uint64_t generation() const;
  int64_t proven_ms() const;
  // Notified after position() has moved.
  Notifier& PositionChanged() { return position_changed_; }

  // Stores the freshness policy and the node's permissions, from the store's Welcome. Reduced
  // permissions are in force at once; new ones when their rows have arrived.
  Result<void> SetTerms(const v1::StoreMessage::Welcome& welcome);
  // Applies a batch. kFailedPrecondition if the batch does not follow the replica's position,
  // kCorrupt if its hash does not match; in both cases nothing was applied.
  Result<void> Apply(const v1::StoreMessage::Batch& batch);
  // Applies the parts of one snapshot, in order. The last part makes the new generation serve.
  Result<void> ApplySnapshot(const v1::StoreMessage::SnapshotPart& part);
  // Gives up an unfinished snapshot; its rows become garbage.
  void AbandonSnapshot();
  // Writes the wall time of the last proof of freshness, for the next process.
  Result<void> RecordProof(int64_t proven_ms);
  // Removes some rows of generations that neither serve nor are being written. False when none is
  // left. Batches and parts of a snapshot may be applied between two calls.
  Result<bool> RemoveGarbage();
  // Collects some manifests whose bytes are here as candidates. RemoveContents() then removes, step
  // by step, the candidates that no row refers to. Each returns false when it is done.
  // REQUIRES, before the first RemoveContents(): a proof that the rows are newer than the
  // collection, because bytes can be here before their row is.
  Result<bool> CollectContents() { return contents_.Collect(); }
  Result<bool> RemoveContents() { return contents_.Step(generation()); }
  // Notified when there are rows for RemoveGarbage().
  Notifier& GarbageLeft() { return garbage_left_; }

 private:
  struct Shadow {
    uint64_t generation = 0;
    std::vector<v1::Change> access;  // the access rows; they come before all other rows
    bool access_done = false;
  };
  Replica(MetaStore& meta, AccessDirectory& directory, v1::ReplicaRow row);

  v1::ReplicaRow Row() const;
  v1::ReplicaRow FollowedRow() const;
  void Publish(const v1::ReplicaRow& row);
  // Sets the node's permissions and scope in the directory from `row`.
  void ApplyPermissions(const v1::ReplicaRow& row);
  // Writes `row`. False if the metadata is read-only, or became read-only by this write.
  Result<bool> WriteReplicaRow(const v1::ReplicaRow& row, MetaTransaction::Durability durability);
  // Commits and publishes `row`. If the metadata is read-only, only records `row` as followed.
  Result<void> CommitOrFollow(MetaTransaction& transaction,
                              const std::optional<v1::ReplicaRow>& row);
  Result<void> LoadAccess();
  Result<uint64_t> FreeGeneration() const;
  Result<void> ReplaceAccess(MetaTransaction& transaction);

  MetaStore& meta_;
  AccessDirectory& directory_;
  Notifier position_changed_;
  Notifier garbage_left_;
  mutable Mutex mutex_;
  v1::ReplicaRow row_ OUTPORT_GUARDED_BY(mutex_);
  // Set once a commit failed because the metadata is read-only: the row as of the last change that
  // was followed. Nothing is written after that.
  std::optional<v1::ReplicaRow> unwritten_ OUTPORT_GUARDED_BY(mutex_);
  // Used by one caller at a time.
  std::optional<Shadow> shadow_;
  ContentGarbage contents_;
};

v1::Position PositionOf(const v1::ReplicaRow& row);

}  // namespace outport::node
