#include "store/uploads/stored_uploads.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using Durability = MetaTransaction::Durability;

Error Lost(const UploadSession& session) {
  return Error{ErrorCode::kBlobUploadUnknown,
               "another process has taken over or ended the upload session '" + session.id +
                   "'; begin the upload again"};
}

void LogIfNotRemoved(const Log& log, const std::string& id, const Result<void>& removed) {
  if (removed.has_value()) return;
  log.Warning("upload session not removed", {{"upload", id}, {"error", removed.error().message}});
}

}  // namespace

Result<void> StoredUploads::Write(const UploadSession& session, uint64_t checkpointed_bytes,
                                  Durability durability) {
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
  if (before.has_value() && before->owner() != parts_.owner.id()) return Lost(session);
  TRY_VOID(WriteRow(*transaction, keys::Upload(session.id), row));
  TRY_VOID(transaction->Commit(durability));
  return {};
}

Result<void> StoredUploads::Remove(const std::string& id) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(transaction->Delete(keys::Upload(id)));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return parts_.bytes.Discard(id);
}

Result<void> StoredUploads::Record(const UploadSession& session) {
  return Write(session, session.checkpointed_bytes.load(), Durability::kBuffered);
}

Result<void> StoredUploads::RecordCheckpoint(UploadSession& session, uint64_t checkpointed_bytes) {
  TRY_VOID(Write(session, checkpointed_bytes, Durability::kSynced));
  session.checkpointed_bytes = checkpointed_bytes;
  return {};
}

void StoredUploads::Forget(UploadSession& session) {
  session.writer.reset();
  const auto row = ReadRow<v1::UploadRow>(parts_.meta, keys::Upload(session.id));
  const bool taken = row.has_value() && row->has_value() && (*row)->owner() != parts_.owner.id();
  if (!taken) LogIfNotRemoved(parts_.log, session.id, Remove(session.id));
}

Result<void> StoredUploads::Cancel(UploadSession& session, const Actor& by) {
  const Auditor auditor(by, parts_.clock);
  TRY_VOID(Transact(parts_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    TRY_VOID(Complete(transaction, session));
    auditor.Add(transaction, "upload.cancel", session.id,
                {{"repository", session.repository.ToString()},
                 {"user", session.user},
                 {"size_bytes", session.size_bytes.load()}},
                nullptr);
    return {};
  }));
  session.writer.reset();
  LogIfNotRemoved(parts_.log, session.id, parts_.bytes.Discard(session.id));
  return {};
}

Result<void> StoredUploads::Complete(MetaTransaction& transaction,
                                     const UploadSession& session) const {
  TRY(const auto row, LockRow<v1::UploadRow>(transaction, keys::Upload(session.id)));
  if (!row.has_value() || row->owner() != parts_.owner.id()) return Lost(session);
  return transaction.Delete(keys::Upload(session.id));
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

Result<bool> StoredUploads::TakeOver(const KeyValue& pair, v1::UploadRow row) {
  row.set_owner(parts_.owner.id());
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY(const auto before, transaction->GetForUpdate(pair.key));
  if (before != pair.value) return false;
  TRY_VOID(WriteRow(*transaction, pair.key, row));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return true;
}

Result<void> StoredUploads::LoadOne(const KeyValue& pair, const UploadSessions::Limits& limits,
                                    Loaded& loaded, std::set<std::string>& kept) {
  const std::string id(keys::After(pair.key, keys::kUploads));
  const Result<v1::UploadRow> row = ParseRow<v1::UploadRow>(pair.key, pair.value);
  TRY(const bool dead, parts_.owner.IsDead(row.has_value() ? row->owner() : ""));
  if (!dead) {
    kept.insert(id);
    return {};
  }
  Result<UploadSessions::Session> session =
      row.has_value() ? Restore(id, *row) : Result<UploadSessions::Session>(row.error());
  const bool old =
      session.has_value() && parts_.clock.SinceBoot() - (*session)->last_used >= limits.idle;
  if (session.has_value() && !old && loaded.sessions.size() < limits.sessions) {
    kept.insert(id);
    const Result<bool> taken = TakeOver(pair, *row);
    if (taken.has_value() && *taken) loaded.sessions.push_back(*std::move(session));
    // A full disk must not prevent a start, because pulls need no space. The next start tries
    // again.
    if (!taken.has_value()) {
      parts_.log.Warning("upload session not loaded",
                         {{"upload", id}, {"error", taken.error().message}});
    }
    return {};
  }
  if (session.has_value()) {
    ++loaded.expired;
  } else {
    ++loaded.lost;
    parts_.log.Warning("upload session lost", {{"upload", id}, {"error", session.error().message}});
  }
  LogIfNotRemoved(parts_.log, id, Remove(id));
  return {};
}

Result<StoredUploads::Loaded> StoredUploads::Load(const UploadSessions::Limits& limits) {
  Loaded loaded;
  std::set<std::string> kept;
  ScanRange range{.prefix = std::string(keys::kUploads), .after = {}, .limit = 256};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, parts_.meta.Scan(range));
    for (const KeyValue& pair : rows) TRY_VOID(LoadOne(pair, limits, loaded, kept));
    if (rows.size() < range.limit) break;
    range.after = rows.back().key;
  }
  TRY(const bool alone, parts_.owner.IsAlone());
  if (alone) TRY_VOID(parts_.bytes.DiscardUncommitted(kept));
  return loaded;
}

}  // namespace outport::store
