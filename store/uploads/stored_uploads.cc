#include "store/uploads/stored_uploads.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using Durability = MetaTransaction::Durability;

}  // namespace

Result<void> StoredUploads::Write(const UploadSession& session, uint64_t checkpointed_bytes,
                                  Durability durability) {
  v1::UploadRow row;
  row.set_repository(session.repository.ToString());
  row.set_user(session.user);
  row.set_algorithm(std::string(Digest::Of(session.algorithm, {}).algorithm_name()));
  row.set_started_ms(session.started_ms);
  row.set_used_ms(ToUnixMillis(clock_.Wall()));
  row.set_checkpointed_bytes(checkpointed_bytes);
  row.set_boot_id(boot_id_);
  const std::unique_ptr<MetaTransaction> transaction = meta_.Begin();
  TRY_VOID(WriteRow(*transaction, keys::Upload(session.id), row));
  TRY_VOID(transaction->Commit(durability));
  return {};
}

Result<void> StoredUploads::RemoveRow(const std::string& key) {
  const std::unique_ptr<MetaTransaction> transaction = meta_.Begin();
  TRY_VOID(transaction->Delete(key));
  TRY_VOID(transaction->Commit(Durability::kBuffered));
  return {};
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
  Result<void> forgotten = RemoveRow(keys::Upload(session.id));
  if (forgotten.has_value()) forgotten = bytes_.Discard(session.id);
  if (!forgotten.has_value()) {
    log_.Warning("upload session not removed",
                 {{"upload", session.id}, {"error", forgotten.error().message}});
  }
}

Result<void> StoredUploads::Complete(MetaTransaction& transaction, const UploadSession& session) {
  return transaction.Delete(keys::Upload(session.id));
}

// Restores the session from its row and its bytes. kCorrupt if the session has fewer bytes than its
// row says, kNotFound if its bytes do not exist.
Result<UploadSessions::Session> StoredUploads::Restore(const std::string& id,
                                                       const v1::UploadRow& row) const {
  TRY(const RepositoryName repository, RepositoryName::Parse(row.repository()));
  TRY(const DigestAlgorithm algorithm, ParseDigestAlgorithm(row.algorithm()));
  TRY(const uint64_t there, bytes_.UncommittedBytes(id));
  if (there < row.checkpointed_bytes()) {
    return Error{ErrorCode::kCorrupt, "the upload has " + std::to_string(there) +
                                          " bytes, but its row says " +
                                          std::to_string(row.checkpointed_bytes())};
  }
  auto session =
      std::make_shared<UploadSession>(id, repository, row.user(), algorithm, row.started_ms());
  session->size_bytes = row.boot_id() == boot_id_ ? there : row.checkpointed_bytes();
  session->checkpointed_bytes = row.checkpointed_bytes();
  const std::chrono::milliseconds unused(
      std::max<int64_t>(0, ToUnixMillis(clock_.Wall()) - row.used_ms()));
  session->last_used = clock_.SinceBoot() - unused;
  return session;
}

Result<StoredUploads::Loaded> StoredUploads::Load(const UploadSessions::Limits& limits) {
  constexpr size_t kPage = 256;
  Loaded loaded;
  std::set<std::string> kept;
  ScanRange range{.prefix = std::string(keys::kUploads), .after = {}, .limit = kPage};
  for (;;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& row : rows) {
      const std::string id(keys::After(row.key, keys::kUploads));
      Result<v1::UploadRow> parsed = ParseRow<v1::UploadRow>(row.key, row.value);
      Result<UploadSessions::Session> session =
          parsed.has_value() ? Restore(id, *parsed)
                             : Result<UploadSessions::Session>(parsed.error());
      const bool old =
          session.has_value() && clock_.SinceBoot() - (*session)->last_used >= limits.idle;
      if (session.has_value() && !old && kept.size() < limits.sessions) {
        kept.insert(id);
        loaded.sessions.push_back(*std::move(session));
        continue;
      }
      if (session.has_value()) {
        ++loaded.expired;
      } else {
        ++loaded.lost;
        log_.Warning("upload session lost", {{"upload", id}, {"error", session.error().message}});
      }
      TRY_VOID(RemoveRow(row.key));
    }
    if (rows.size() < kPage) break;
    range.after = rows.back().key;
  }
  TRY_VOID(bytes_.DiscardUncommitted(kept));
  return loaded;
}

}  // namespace outport::store
