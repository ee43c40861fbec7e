#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "node/replica/content_garbage.h"
#include "node/replica/copy_garbage.h"
#include "outport/v1/replication.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The node's copy of the store's rows, at one position of the store's log. registry/records/keys.h
// describes the replica's own rows: the rows of generations, the access rows and the row `replica`.
//
// One synced commit writes a batch and its position. The replica writes a snapshot as a new
// generation beside the one that serves. One commit then replaces the serving generation; after a
// crash before that commit, the old generation still serves. RemoveGarbage() removes generations
// that do not serve. Access rows belong to no generation: they apply at once, and the
// AccessDirectory mirrors them.
//
// A node may be limited to patterns of repositories. The row `replica` contains the node's
// permissions, and the patterns whose rows the node has received. The AccessDirectory mirrors both.
//
// If the metadata is read-only (for example, because the disk is full), the rows and position()
// stop changing and become stale. The AccessDirectory still follows the store, so that the node
// applies new revocations.
//
// The accessors are safe for all threads, and do not block unless their comment says so. The other
// methods block; make one call at a time.
class Replica {
 public:
  // Loads the position, and fills `directory` from the access rows. `directory` outlives the
  // replica.
  static Result<std::unique_ptr<Replica>> Open(MetaStore& meta, AccessDirectory& directory);

  v1::Position position() const;  // empty epoch: the replica never applied anything
  // The position that the AccessDirectory has reached. It differs from position() only while the
  // metadata is read-only.
  v1::Position followed() const;
  v1::FreshnessPolicy policy() const;
  // The fleet's trust bundle, if the store has sent one. Blocks.
  std::optional<v1::TrustRow> Trust() const;
  // The patterns of the repositories whose rows this replica has. No patterns mean all
  // repositories.
  std::vector<std::string> scope() const;
  uint64_t generation() const;
  int64_t proven_ms() const;
  // Notified after position() has moved.
  Notifier& PositionChanged() { return position_changed_; }

  // Stores the freshness policy and the node's permissions, from the store's Welcome. Removed
  // permissions end at once. Added permissions begin when the node has their rows. Applies the
  // store's pending changes of access.
  Result<void> SetTerms(const v1::StoreMessage::Welcome& welcome);
  // Replaces the list of changes that the store could not write yet. They are in force in the
  // AccessDirectory, on top of the rows, but the replica does not write them. A change that leaves
  // the list stays in force until a change of the log or a snapshot replaces it.
  void SetPending(const v1::StoreMessage::PendingAccess& pending);
  // Applies a batch. Returns kFailedPrecondition if the batch does not begin at the replica's
  // position, and kCorrupt if the batch's hash does not match. In both cases the replica is
  // unchanged.
  Result<void> Apply(const v1::StoreMessage::Batch& batch);
  // Applies the parts of one snapshot, in order. The last part makes the new generation serve.
  Result<void> ApplySnapshot(const v1::StoreMessage::SnapshotPart& part);
  // Abandons an unfinished snapshot. The snapshot's rows become garbage.
  void AbandonSnapshot();
  // Writes the wall time of the last proof of freshness, for the next process.
  Result<void> RecordProof(int64_t proven_ms);
  // Removes some rows of generations that neither serve nor are being written. Returns false when
  // no such rows are left. Between two calls, the caller may apply batches and parts of a snapshot.
  Result<bool> RemoveGarbage();
  // CollectContents() collects candidates: some manifests whose bytes this node has.
  // RemoveContents() then removes, step by step, the candidates that no row refers to. Each method
  // returns false when it is done. REQUIRES: between the two, the replica has caught up with the
  // store once. The bytes of a manifest can arrive before the row that refers to them, and that row
  // must be there when RemoveContents() looks for it.
  Result<bool> CollectContents() { return contents_.Collect(); }
  Result<bool> RemoveContents() { return contents_.Step(generation()); }
  // CollectCopies() collects candidates: some copies of blobs in the node's cache. FindUnlinked()
  // then returns, step by step, those that no repository links; nullopt means that no candidates
  // are left. REQUIRES: between the two, the replica has caught up with the store once. The copy of
  // a blob can be there before the row of its link, and that row must be there when FindUnlinked()
  // looks for it.
  Result<bool> CollectCopies() { return copies_.Collect(); }
  Result<std::optional<std::vector<CopyName>>> FindUnlinked() { return copies_.Step(generation()); }
  // Notified when RemoveGarbage() has rows to remove.
  Notifier& GarbageLeft() { return garbage_left_; }

 private:
  struct Shadow {
    uint64_t generation = 0;
    std::vector<v1::Change> access;  // the access rows, which arrive before all other rows
    bool access_done = false;
  };
  Replica(MetaStore& meta, AccessDirectory& directory, v1::ReplicaRow row);

  v1::ReplicaRow Row() const;
  v1::ReplicaRow FollowedRow() const;
  void Publish(const v1::ReplicaRow& row);
  void ApplyPending();
  // Sets the node's permissions and scope in the directory from `row`.
  void ApplyPermissions(const v1::ReplicaRow& row);
  // Writes `row`. Returns false if the metadata is read-only, or becomes read-only because this
  // write fails.
  Result<bool> WriteReplicaRow(const v1::ReplicaRow& row, MetaTransaction::Durability durability);
  // Commits and publishes `row`. If the metadata is read-only, commits nothing and only publishes
  // `row` as followed().
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
  // The row after the last change that the directory followed. It is set after a commit has failed
  // because the metadata is read-only. After that, the replica writes nothing.
  std::optional<v1::ReplicaRow> unwritten_ OUTPORT_GUARDED_BY(mutex_);
  // Used by one caller at a time.
  std::optional<Shadow> shadow_;
  v1::StoreMessage::PendingAccess pending_;
  ContentGarbage contents_;
  CopyGarbage copies_;
};

v1::Position PositionOf(const v1::ReplicaRow& row);

}  // namespace outport::node
