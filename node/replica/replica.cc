#include "node/replica/replica.h"

#include <set>
#include <utility>

#include "node/replica/change_rows.h"
#include "registry/base/bytes.h"
#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "registry/storage/meta_log.h"

namespace outport::node {
namespace {

constexpr size_t kGarbageStep = 1000;
constexpr size_t kAccessPage = 1000;

Result<void> Write(MetaTransaction& transaction, uint64_t generation, const RowChange& change) {
  const std::string key =
      change.in_generation ? keys::GenerationPrefix(generation) + change.key : change.key;
  return change.value.has_value() ? transaction.Put(key, *change.value) : transaction.Delete(key);
}

std::string Applying(const v1::StoreMessage::Batch& batch) {
  return "applying the store's changes after " + std::to_string(batch.from()) + ", up to " +
         std::to_string(batch.to());
}

Result<void> CheckFollows(const v1::StoreMessage::Batch& batch, const v1::ReplicaRow& row) {
  const bool whole = batch.to() - batch.from() == static_cast<uint64_t>(batch.changes_size());
  if (batch.from() != row.sequence() || batch.to() < batch.from() || (!whole && !batch.partial())) {
    return Error{ErrorCode::kFailedPrecondition,
                 Applying(batch) + ": the batch does not begin at the replica's change " +
                     std::to_string(row.sequence())};
  }
  if (batch.partial()) return {};
  std::optional<LogPosition> position = ToLogPosition(row.sequence(), row.hash());
  for (const v1::Change& change : batch.changes()) {
    if (position.has_value()) position = NextPosition(*position, change.SerializeAsString());
  }
  if (!position.has_value() || AsText(position->hash) != batch.hash()) {
    return Error{ErrorCode::kCorrupt,
                 Applying(batch) + ": the hash of the changes does not match the store's"};
  }
  return {};
}

}  // namespace

v1::Position PositionOf(const v1::ReplicaRow& row) {
  v1::Position position;
  position.set_epoch(row.epoch());
  position.set_sequence(row.sequence());
  position.set_hash(row.hash());
  return position;
}

Replica::Replica(MetaStore& meta, AccessDirectory& directory, v1::ReplicaRow row)
    : meta_(meta), directory_(directory), row_(std::move(row)), contents_(meta), copies_(meta) {}

Result<std::unique_ptr<Replica>> Replica::Open(MetaStore& meta, AccessDirectory& directory) {
  TRY(auto row, ReadRow<v1::ReplicaRow>(meta, keys::kReplica));
  std::unique_ptr<Replica> replica(
      new Replica(meta, directory, std::move(row).value_or(v1::ReplicaRow())));
  TRY_VOID(replica->LoadAccess());
  replica->ApplyPermissions(replica->Row());
  return replica;
}

Result<void> Replica::LoadAccess() {
  TRY(AccessDirectory::Contents contents, ReadAccess(meta_));
  directory_.ReplaceAll(std::move(contents));
  return {};
}

v1::ReplicaRow Replica::Row() const {
  MutexLock lock(mutex_);
  return row_;
}

void Replica::Publish(const v1::ReplicaRow& row) {
  {
    MutexLock lock(mutex_);
    row_ = row;
  }
  position_changed_.Notify();
}

v1::Position Replica::position() const {
  MutexLock lock(mutex_);
  return PositionOf(row_);
}

v1::ReplicaRow Replica::FollowedRow() const {
  MutexLock lock(mutex_);
  return unwritten_.value_or(row_);
}

v1::Position Replica::followed() const { return PositionOf(FollowedRow()); }

Result<void> Replica::CommitOrFollow(MetaTransaction& transaction,
                                     const std::optional<v1::ReplicaRow>& row) {
  bool gap = false;
  {
    MutexLock lock(mutex_);
    gap = unwritten_.has_value();
  }
  if (!gap) {
    const Result<LogPosition> committed = transaction.Commit();
    if (committed.has_value()) {
      if (row.has_value()) Publish(*row);
      return {};
    }
    if (!meta_.WhyReadOnly().has_value()) return committed.error();
  }
  MutexLock lock(mutex_);
  unwritten_ = row.has_value() ? *row : unwritten_.value_or(row_);
  return {};
}

v1::FreshnessPolicy Replica::policy() const {
  MutexLock lock(mutex_);
  return row_.policy();
}

uint64_t Replica::generation() const {
  MutexLock lock(mutex_);
  return row_.generation();
}

int64_t Replica::proven_ms() const {
  MutexLock lock(mutex_);
  return row_.proven_fresh_ms();
}

Result<bool> Replica::WriteReplicaRow(const v1::ReplicaRow& row,
                                      MetaTransaction::Durability durability) {
  const auto transaction = meta_.Begin();
  TRY_VOID(transaction->Put(keys::kReplica, row.SerializeAsString()));
  const Result<LogPosition> committed = transaction->Commit(durability);
  if (!committed.has_value() && !meta_.WhyReadOnly().has_value()) return committed.error();
  return committed.has_value();
}

std::optional<v1::TrustRow> Replica::Trust() const {
  return ReadRow<v1::TrustRow>(meta_, keys::kTrust).value_or(std::nullopt);
}

std::vector<std::string> Replica::scope() const {
  const v1::ReplicaRow row = FollowedRow();
  return {row.scope().begin(), row.scope().end()};
}

void Replica::ApplyPermissions(const v1::ReplicaRow& row) {
  NodePermissions permissions("this node", ToGrants(row.permissions()));
  if (!row.scope().empty()) permissions.SetReplicated({row.scope().begin(), row.scope().end()});
  directory_.SetNodePermissions(std::move(permissions));
}

void Replica::ApplyPending() {
  for (const v1::Change& change : pending_.changes()) ApplyAccessChange(change, directory_);
}

void Replica::SetPending(const v1::StoreMessage::PendingAccess& pending) {
  pending_ = pending;
  ApplyPending();
}

Result<void> Replica::SetTerms(const v1::StoreMessage::Welcome& welcome) {
  SetPending(welcome.pending_access());
  const auto set = [&welcome](v1::ReplicaRow& row) {
    *row.mutable_policy() = welcome.policy();
    *row.mutable_permissions() = welcome.permissions();
  };
  v1::ReplicaRow row = Row();
  const std::string before = row.SerializeAsString();
  set(row);
  if (row.SerializeAsString() == before) return {};
  TRY(const bool ignored, WriteReplicaRow(row, MetaTransaction::Durability::kSynced));
  static_cast<void>(ignored);  // the terms apply even if the write failed
  {
    MutexLock lock(mutex_);
    if (unwritten_.has_value()) set(*unwritten_);
  }
  Publish(row);
  ApplyPermissions(row);
  return {};
}

Result<void> Replica::RecordProof(int64_t proven_ms) {
  v1::ReplicaRow row = Row();
  row.set_proven_fresh_ms(proven_ms);
  TRY(const bool kept, WriteReplicaRow(row, MetaTransaction::Durability::kBuffered));
  if (kept) Publish(row);
  return {};
}

Result<void> Replica::Apply(const v1::StoreMessage::Batch& batch) {
  v1::ReplicaRow row = FollowedRow();
  TRY_VOID(CheckFollows(batch, row));
  const auto transaction = meta_.Begin();
  for (const v1::Change& change : batch.changes()) {
    TRY(const std::optional<RowChange> row_change, ToRowChange(change));
    if (row_change.has_value()) TRY_VOID(Write(*transaction, row.generation(), *row_change));
    if (change.has_manifest_put()) contents_.Referred(change.manifest_put().digest());
    if (change.has_link()) copies_.Linked(change.link().digest());
  }
  row.set_sequence(batch.to());
  row.set_hash(batch.hash());
  TRY_VOID(transaction->Put(keys::kReplica, row.SerializeAsString()));
  for (const v1::Change& change : batch.changes()) ApplyAccessChange(change, directory_);
  ApplyPending();
  return CommitOrFollow(*transaction, row);
}

Result<uint64_t> Replica::FreeGeneration() const {
  // Rows of an abandoned snapshot may still use the next number, so find a number without rows.
  for (uint64_t generation = this->generation() + 1;; ++generation) {
    const ScanRange range{.prefix = keys::GenerationPrefix(generation), .after = "", .limit = 1};
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    if (rows.empty()) return generation;
  }
}

Result<void> Replica::ApplySnapshot(const v1::StoreMessage::SnapshotPart& part) {
  if (!shadow_.has_value()) {
    TRY(const uint64_t generation, FreeGeneration());
    shadow_ = Shadow{generation, {}, false};
  }
  const bool access_was_done = shadow_->access_done;
  const auto transaction = meta_.Begin();
  for (const v1::Change& change : part.rows()) {
    if (IsAccessChange(change)) {
      // Revocations apply at once. The other access rows wait until all of them have arrived, then
      // replace the old rows together.
      if (change.has_revoked()) ApplyAccessChange(change, directory_);
      shadow_->access.push_back(change);
      continue;
    }
    if (!shadow_->access_done) TRY_VOID(ReplaceAccess(*transaction));
    TRY(const std::optional<RowChange> row_change, ToRowChange(change));
    if (row_change.has_value()) TRY_VOID(Write(*transaction, shadow_->generation, *row_change));
  }
  if (part.last() && !shadow_->access_done) TRY_VOID(ReplaceAccess(*transaction));
  v1::ReplicaRow row = FollowedRow();
  if (part.last()) {
    row.set_epoch(part.position().epoch());
    row.set_sequence(part.position().sequence());
    row.set_hash(part.position().hash());
    row.set_generation(shadow_->generation);
    const auto scope = NodePermissions("", ToGrants(row.permissions())).Scope();
    row.mutable_scope()->Assign(scope.begin(), scope.end());
    TRY_VOID(transaction->Put(keys::kReplica, row.SerializeAsString()));
  }
  if (shadow_->access_done && !access_was_done && !part.last()) {
    // From here to the last part, the users are those of the new scope, but the other rows are
    // those of the old scope. Write a scope that never equals the store's scope: if the snapshot is
    // interrupted, the store sends it again.
    if (row.scope().empty()) row.add_scope(std::string(kEverything));
    if (!row.scope().rbegin()->empty()) row.add_scope("");
    TRY_VOID(transaction->Put(keys::kReplica, row.SerializeAsString()));
  }
  if (shadow_->access_done && !access_was_done) {
    AccessDirectory::Contents contents;
    for (const v1::Change& change : shadow_->access) ApplyAccessChange(change, contents);
    directory_.ReplaceAll(std::move(contents));
    ApplyPending();
    shadow_->access.clear();
  }
  const bool row_changed = part.last() || (shadow_->access_done && !access_was_done);
  TRY_VOID(CommitOrFollow(*transaction, row_changed ? std::optional(row) : std::nullopt));
  if (part.last()) {
    ApplyPermissions(row);
    shadow_.reset();
    garbage_left_.Notify();
  }
  return {};
}

Result<void> Replica::ReplaceAccess(MetaTransaction& transaction) {
  std::set<std::string> kept;
  for (const v1::Change& change : shadow_->access) {
    TRY(const std::optional<RowChange> row, ToRowChange(change));
    if (!row.has_value()) continue;
    kept.insert(row->key);
    TRY_VOID(Write(transaction, shadow_->generation, *row));
  }
  for (const std::string_view prefix : kAccessRows) {
    ScanRange range{.prefix = std::string(prefix), .limit = kAccessPage};
    for (bool more = true; more;) {
      TRY(const std::vector<KeyValue> rows, transaction.Scan(range));
      for (const KeyValue& row : rows) {
        if (!kept.contains(row.key)) TRY_VOID(transaction.Delete(row.key));
        range.after = row.key;
      }
      more = rows.size() == range.limit;
    }
  }
  shadow_->access_done = true;
  return {};
}

void Replica::AbandonSnapshot() {
  if (!shadow_.has_value()) return;
  shadow_.reset();
  garbage_left_.Notify();
}

Result<bool> Replica::RemoveGarbage() {
  const std::string serving = keys::GenerationPrefix(generation());
  const std::string shadow =
      shadow_.has_value() ? keys::GenerationPrefix(shadow_->generation) : serving;
  ScanRange range{.prefix = std::string(keys::kGenerations), .after = "", .limit = kGarbageStep};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    if (rows.empty()) return false;
    const auto transaction = meta_.Begin();
    size_t removed = 0;
    for (const KeyValue& row : rows) {
      if (row.key.starts_with(serving) || row.key.starts_with(shadow)) continue;
      TRY_VOID(transaction->Delete(row.key));
      ++removed;
    }
    if (removed > 0) {
      TRY(const LogPosition ignored, transaction->Commit(MetaTransaction::Durability::kBuffered));
      static_cast<void>(ignored);
      return true;
    }
    // All these rows belong to a generation that stays. Continue the scan after the last key of
    // that generation.
    const std::string& last = rows.back().key;
    range.after = last.substr(0, serving.size() - 1) + '/' + '\xff';
  }
}

}  // namespace outport::node
