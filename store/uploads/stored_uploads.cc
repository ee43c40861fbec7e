#include "store/uploads/stored_uploads.h"

#include <algorithm>
#include <span>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using Durability = MetaTransaction::Durability;

Error Lost(const UploadSession& session) {
  return Error{ErrorCode::kBlobUploadUnknown,
               "the upload session '" + session.id +
                   "' was cancelled, or another process has taken it over; begin the upload again"};
}

void AuditCancel(const Auditor& auditor, MetaTransaction& transaction, const std::string& id,
                 const std::string& repository, const std::string& user, uint64_t size_bytes) {
  auditor.Add(transaction, "upload.cancel", id,
              {{"repository", repository}, {"user", user}, {"size_bytes", size_bytes}}, nullptr);
}

void LogIfNotRemoved(const Log& log, const std::string& id, const Result<void>& removed) {
  if (removed.has_value()) return;
  log.Warning("upload session not removed", {{"upload", id}, {"error", removed.error().message}});
}

}  // namespace

Result<void> StoredUploads::Write(const UploadSession& session, uint64_t checkpointed_bytes,
                                  Writes writes, Durability durability) {
  v1::UploadRow row;
  row.set_repository(session.repository.ToString());
  row.set_user(session.user);
  row.set_algorithm(std::string(Digest::Of(session.algorithm, {}).algorithm_name()));
  row.set_started_ms(session.started_ms);
  row.set_used_ms(parts_.store_clock.NowMs());
  row.set_checkpointed_bytes(checkpointed_bytes);
  row.set_boot_id(parts_.boot_id);
  row.set_owner(parts_.owner.id());
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY(const auto before, LockRow<v1::UploadRow>(*transaction, keys::Upload(session.id)));
  const bool lost =
      before.has_value() ? before->owner() != parts_.owner.id() : writes == Writes::kExistingRow;
  if (lost) return Lost(session);
  TRY_VOID(WriteRow(*transaction, keys::Upload(session.id), row));
  TRY_VOID(transaction->Commit(durability));
  return {};
}

// The bytes go before the row, here and below: if the process ends in between, a row without bytes
// remains, and the next process deletes it. Bytes without a row would remain until a process starts
// while no other one lives. The lock on the row keeps others from taking the session over
// meanwhile.
Result<void> StoredUploads::Remove(const std::string& id) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  transaction->SetUrgency(MetaTransaction::Urgency::kMustPass);
  TRY(const auto row, LockRow<v1::UploadRow>(*transaction, keys::Upload(id)));
  if (row.has_value() && row->owner() != parts_.owner.id()) return {};
  TRY_VOID(parts_.bytes.Discard(id));
  if (!row.has_value()) return {};
  TRY_VOID(transaction->Delete(keys::Upload(id)));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return {};
}

Result<void> StoredUploads::Record(const UploadSession& session) {
  return Write(session, 0, Writes::kNewRow, Durability::kBuffered);
}

Result<void> StoredUploads::RecordReopened(const UploadSession& session) {
  return Write(session, session.checkpointed_bytes.load(), Writes::kExistingRow,
               Durability::kBuffered);
}

Result<void> StoredUploads::RecordCheckpoint(UploadSession& session, uint64_t checkpointed_bytes) {
  TRY_VOID(Write(session, checkpointed_bytes, Writes::kExistingRow, Durability::kSynced));
  session.checkpointed_bytes = checkpointed_bytes;
  return {};
}

void StoredUploads::Forget(UploadSession& session) {
  session.writer.reset();
  LogIfNotRemoved(parts_.log, session.id, Remove(session.id));
}

Result<void> StoredUploads::Cancel(UploadSession& session, const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY_VOID(Complete(transaction, session));
    session.writer.reset();
    TRY_VOID(parts_.bytes.Discard(session.id));
    AuditCancel(auditor, transaction, session.id, session.repository.ToString(), session.user,
                session.size_bytes.load());
    return {};
  }));
  return {};
}

Result<void> StoredUploads::Complete(MetaTransaction& transaction,
                                     const UploadSession& session) const {
  TRY(const auto row, LockRow<v1::UploadRow>(transaction, keys::Upload(session.id)));
  if (!row.has_value() || row->owner() != parts_.owner.id()) return Lost(session);
  return transaction.Delete(keys::Upload(session.id));
}

Result<bool> StoredUploads::IsOurs(const UploadSession& session) const {
  TRY(const auto row, ReadRow<v1::UploadRow>(parts_.meta, keys::Upload(session.id)));
  return row.has_value() && row->owner() == parts_.owner.id();
}

Result<StoredUploads::Cancelled> StoredUploads::CancelRow(const std::string& id, const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  Cancelled cancelled;
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    TRY(const auto row, LockRow<v1::UploadRow>(transaction, keys::Upload(id)));
    if (!row.has_value()) {
      return Error{
          ErrorCode::kBlobUploadUnknown,
          "there is no upload session '" + id + "': it was finished or cancelled, or it expired"};
    }
    TRY(const bool ended, parts_.owner.IsDead(row->owner()));
    const Result<uint64_t> there = parts_.bytes.UncommittedBytes(id);
    // An earlier attempt of this transaction may have discarded the bytes.
    cancelled.size_bytes =
        std::max({cancelled.size_bytes, there.value_or(0), row->checkpointed_bytes()});
    cancelled.owner = ended ? std::string() : row->owner();
    if (ended) TRY_VOID(parts_.bytes.Discard(id));
    AuditCancel(auditor, transaction, id, row->repository(), row->user(), cancelled.size_bytes);
    return transaction.Delete(keys::Upload(id));
  }));
  return cancelled;
}

Result<RowPage<StoredUploads::Listed>> StoredUploads::List(const std::string& after,
                                                           size_t limit) const {
  const std::string start = after.empty() ? after : keys::Upload(after);
  TRY(const std::vector<KeyValue> found,
      parts_.meta.Scan(
          {.prefix = std::string(keys::kUploads), .after = start, .limit = limit + 1}));
  RowPage<Listed> page;
  for (const KeyValue& pair : std::span(found).first(std::min(found.size(), limit))) {
    Result<v1::UploadRow> row = ParseRow<v1::UploadRow>(pair.key, pair.value);
    if (!row.has_value()) continue;
    TRY(const bool ended, parts_.owner.IsDead(row->owner()));
    page.rows.push_back({.id = std::string(keys::After(pair.key, keys::kUploads)),
                         .row = *std::move(row),
                         .owner_ended = ended});
  }
  if (found.size() > limit) page.next = keys::After(found[limit - 1].key, keys::kUploads);
  return page;
}

// Restores the session from its row and its bytes. kCorrupt if the session has fewer bytes than its
// row says, kNotFound if its bytes do not exist.
Result<UploadSessions::Session> StoredUploads::Restore(const std::string& id,
                                                       const v1::UploadRow& row) const {
  TRY(const RepositoryName repository, RepositoryName::Parse(row.repository()));
  TRY(const DigestAlgorithm algorithm, ParseDigestAlgorithm(row.algorithm()));
  TRY(const uint64_t there, parts_.bytes.UncommittedBytes(id));
  if (there < row.checkpointed_bytes()) {
    return Error{ErrorCode::kCorrupt, "the upload has " + std::to_string(there) +
                                          " bytes, but its row says " +
                                          std::to_string(row.checkpointed_bytes())};
  }
  auto session =
      std::make_shared<UploadSession>(id, repository, row.user(), algorithm, row.started_ms());
  session->size_bytes = row.boot_id() == parts_.boot_id ? there : row.checkpointed_bytes();
  session->checkpointed_bytes = row.checkpointed_bytes();
  const std::chrono::milliseconds unused(
      std::max<int64_t>(0, parts_.store_clock.NowMs() - row.used_ms()));
  session->last_used = parts_.clock.SinceBoot() - unused;
  return session;
}

Result<bool> StoredUploads::TakeOver(const KeyValue& pair, v1::UploadRow row,
                                     const Takeover& takeover) {
  row.set_owner(parts_.owner.id());
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY(const auto before, transaction->GetForUpdate(pair.key));
  if (before != pair.value) return false;
  TRY_VOID(WriteRow(*transaction, pair.key, row));
  if (takeover.fence != nullptr) TRY_VOID(takeover.fence(*transaction));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return true;
}

Result<bool> StoredUploads::Discard(const KeyValue& pair, const Takeover& takeover) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY(const auto before, transaction->GetForUpdate(pair.key));
  if (before != pair.value) return false;
  if (takeover.fence != nullptr) TRY_VOID(takeover.fence(*transaction));
  TRY_VOID(parts_.bytes.Discard(std::string(keys::After(pair.key, keys::kUploads))));
  TRY_VOID(transaction->Delete(pair.key));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return true;
}

Result<void> StoredUploads::LoadOne(const KeyValue& pair, const Takeover& takeover, Loaded& loaded,
                                    std::set<std::string>& kept) {
  const std::string id(keys::After(pair.key, keys::kUploads));
  const Result<v1::UploadRow> row = ParseRow<v1::UploadRow>(pair.key, pair.value);
  TRY(const bool dead, takeover.is_dead(row.has_value() ? row->owner() : ""));
  if (!dead) {
    kept.insert(id);
    return {};
  }
  Result<UploadSessions::Session> session =
      row.has_value() ? Restore(id, *row) : Result<UploadSessions::Session>(row.error());
  const bool old =
      session.has_value() && parts_.clock.SinceBoot() - (*session)->last_used >= takeover.idle;
  const bool has_room = loaded.sessions.size() < takeover.room;
  if (session.has_value() && !old && !has_room && !takeover.discards_surplus) {
    kept.insert(id);
    return {};
  }
  if (session.has_value() && !old && has_room) {
    kept.insert(id);
    const Result<bool> taken = TakeOver(pair, *row, takeover);
    if (taken.has_value() && *taken) loaded.sessions.push_back(*std::move(session));
    // A full disk must not prevent a start, because pulls need no space. The next start tries
    // again.
    if (!taken.has_value()) {
      parts_.log.Warning("upload session not loaded",
                         {{"upload", id}, {"error", taken.error().message}});
    }
    return {};
  }
  const Result<bool> discarded = Discard(pair, takeover);
  if (!discarded.has_value()) LogIfNotRemoved(parts_.log, id, discarded.error());
  if (!discarded.value_or(false)) return {};
  if (session.has_value()) {
    ++loaded.expired;
  } else {
    ++loaded.lost;
    parts_.log.Warning("upload session lost", {{"upload", id}, {"error", session.error().message}});
  }
  return {};
}

Result<void> StoredUploads::LoadPage(std::string& after, const Takeover& takeover, Loaded& loaded,
                                     std::set<std::string>& kept) {
  const std::string start = after.empty() ? after : keys::Upload(after);
  TRY(const std::vector<KeyValue> rows,
      parts_.meta.Scan({.prefix = std::string(keys::kUploads), .after = start, .limit = kPage}));
  for (const KeyValue& pair : rows) TRY_VOID(LoadOne(pair, takeover, loaded, kept));
  after = rows.size() < kPage ? "" : keys::After(rows.back().key, keys::kUploads);
  return {};
}

Result<StoredUploads::Loaded> StoredUploads::TakeOverPage(std::string& after,
                                                          const Takeover& takeover) {
  Loaded loaded;
  std::set<std::string> kept;
  const Result<void> done = LoadPage(after, takeover, loaded, kept);
  // The caller must get the sessions that this process owns already.
  if (!done.has_value() && loaded.sessions.empty()) return done.error();
  return loaded;
}

Result<StoredUploads::Loaded> StoredUploads::Load(const UploadSessions::Limits& limits) {
  Loaded loaded;
  std::set<std::string> kept;
  const Takeover takeover{
      .is_dead = [this](const std::string& owner) { return parts_.owner.IsDead(owner); },
      .room = limits.sessions,
      .discards_surplus = true,
      .idle = limits.idle};
  std::string after;
  do {
    TRY_VOID(LoadPage(after, takeover, loaded, kept));
  } while (!after.empty());
  TRY(const bool alone, parts_.owner.IsAlone());
  if (alone) TRY_VOID(parts_.bytes.DiscardUncommitted(kept));
  return loaded;
}

}  // namespace outport::store
