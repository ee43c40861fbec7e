#include "store/content/trash.h"

#include <utility>

#include "registry/base/bytes.h"
#include "registry/records/rows.h"
#include "store/content/pulls.h"

namespace outport::store {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr size_t kRunIdBytes = 4;

// Whether the trash of the run is freed later.
bool TakesIn(const v1::RunRow& run) {
  return run.state() != v1::RUN_STATE_FREED && run.state() != v1::RUN_STATE_UNDONE;
}

}  // namespace

std::string NewRunId(int64_t now_ms) {
  return keys::TimeText(now_ms) + '-' + RandomHex(kRunIdBytes);
}

Result<std::string> RunOfClients(MetaTransaction& transaction, int64_t now_ms) {
  const int64_t hour_ms = now_ms - now_ms % kHourMs;
  std::string id = keys::TimeText(hour_ms) + "-00000000";
  const std::string key = keys::Run(id);
  // Read without a lock first: only the first deletion of the hour writes the row.
  TRY(const auto known, ReadRow<v1::RunRow>(transaction, key));
  if (known.has_value() && TakesIn(*known)) return id;
  TRY(auto locked, LockRow<v1::RunRow>(transaction, key));
  if (locked.has_value() && TakesIn(*locked)) return id;
  if (locked.has_value()) {
    // This deletion began before the end of its hour and is late. Nobody frees the trash of a run
    // that is FREED, so the run is open again.
    locked->set_state(v1::RUN_STATE_DONE);
    TRY_VOID(WriteRow(transaction, key, *locked));
    return id;
  }
  v1::RunRow row;
  row.set_id(id);
  row.set_kind(v1::RUN_KIND_CLIENTS);
  row.set_state(v1::RUN_STATE_DONE);
  row.set_started_ms(hour_ms);
  row.set_ended_ms(hour_ms + kHourMs);
  TRY_VOID(WriteRow(transaction, key, row));
  return id;
}

Result<void> TrashManifest(MetaTransaction& transaction, const std::string& run,
                           v1::TrashRow::Manifest manifest, int64_t now_ms) {
  TRY(const RepositoryName repository, RepositoryName::Parse(manifest.repository()));
  TRY(const Digest digest, Digest::Parse(manifest.digest()));
  v1::TrashedRow trashed;
  trashed.set_run(run);
  TRY_VOID(WriteRow(transaction, keys::Trashed(repository, digest), trashed));
  v1::TrashRow row;
  row.set_removed_ms(now_ms);
  *row.mutable_manifest() = std::move(manifest);
  return WriteRow(transaction,
                  keys::Trash(run, trash_kind::kManifest, repository.ToString(), digest.ToString()),
                  row);
}

Result<void> TrashTag(MetaTransaction& transaction, const std::string& run,
                      v1::TrashRow::TagDeletion deletion, int64_t now_ms) {
  const std::string key = keys::Trash(run, trash_kind::kTag, deletion.repository(), deletion.tag());
  v1::TrashRow row;
  row.set_removed_ms(now_ms);
  *row.mutable_tag() = std::move(deletion);
  return WriteRow(transaction, key, row);
}

Result<void> UntrashManifest(MetaTransaction& transaction, const RepositoryName& repository,
                             const Digest& digest) {
  const std::string key = keys::Trashed(repository, digest);
  TRY(const auto trashed, ReadRow<v1::TrashedRow>(transaction, key));
  if (!trashed.has_value()) return {};
  const std::string trash =
      keys::Trash(trashed->run(), trash_kind::kManifest, repository.ToString(), digest.ToString());
  const Result<std::optional<v1::TrashRow>> row = ReadRow<v1::TrashRow>(transaction, trash);
  if (row.has_value() && row->has_value() && (*row)->manifest().has_pull()) {
    TRY_VOID(RestorePull(transaction, repository, digest.ToString(), (*row)->manifest().pull()));
  } else if (!row.has_value() && !IsCorrupt(row)) {
    return row.error();  // a push succeeds although the row in the trash is corrupt
  }
  TRY_VOID(transaction.Delete(trash));
  return transaction.Delete(key);
}

Result<void> FreeManifest(MetaTransaction& transaction, const std::string& run,
                          const RepositoryName& repository, const Digest& digest) {
  TRY_VOID(transaction.Delete(
      keys::Trash(run, trash_kind::kManifest, repository.ToString(), digest.ToString())));
  const std::string trashed_key = keys::Trashed(repository, digest);
  TRY(const auto trashed, ReadRow<v1::TrashedRow>(transaction, trashed_key));
  // A push has taken the manifest out of the trash, or a later run has put it there again.
  if (!trashed.has_value() || trashed->run() != run) return {};
  TRY_VOID(transaction.Delete(trashed_key));
  TRY_VOID(transaction.Delete(keys::Holder(digest, repository)));
  const ScanRange range{.prefix = keys::HoldersOf(digest), .after = {}, .limit = 1};
  TRY(const std::vector<KeyValue> others, transaction.Scan(range));
  if (!others.empty()) return {};
  return transaction.Delete(keys::Content(digest));
}

Result<bool> TrashLink(MetaTransaction& transaction, const std::string& run,
                       const RepositoryName& repository, const Digest& digest,
                       const v1::LinkRow& link, const std::optional<v1::BlobRow>& blob,
                       int64_t now_ms) {
  TRY_VOID(transaction.Delete(keys::Link(repository, digest)));
  TRY_VOID(transaction.Delete(keys::Linked(digest, repository)));
  if (link.due_ms() != 0) {
    TRY_VOID(transaction.Delete(keys::Condemned(link.due_ms(), repository, digest)));
  }
  v1::Change change;
  change.mutable_unlink()->set_repository(repository.ToString());
  change.mutable_unlink()->set_digest(digest.ToString());
  AppendChange(transaction, change);
  v1::TrashRow row;
  row.set_removed_ms(now_ms);
  row.mutable_link()->set_repository(repository.ToString());
  row.mutable_link()->set_digest(digest.ToString());
  row.mutable_link()->set_size_bytes(link.size_bytes());
  if (link.pulled_ms() != 0) {
    row.mutable_link()->mutable_pull()->set_last_ms(link.pulled_ms());
    row.mutable_link()->mutable_pull()->set_node(link.pulled_at());
  }
  TRY_VOID(WriteRow(transaction,
                    keys::Trash(run, trash_kind::kLink, repository.ToString(), digest.ToString()),
                    row));
  const ScanRange range{.prefix = keys::LinkedIn(digest), .after = {}, .limit = 1};
  TRY(const std::vector<KeyValue> others, transaction.Scan(range));
  if (!others.empty() || !blob.has_value() || blob->state() == v1::BLOB_STATE_TRASHED) return false;
  TRY_VOID(TrashBlob(transaction, run, repository.ToString(), digest, *blob, now_ms));
  return true;
}

Result<void> TrashBlob(MetaTransaction& transaction, const std::string& run,
                       const std::string& repository, const Digest& digest, v1::BlobRow blob,
                       int64_t now_ms) {
  v1::Change change;
  change.mutable_tombstone()->set_digest(digest.ToString());
  change.mutable_tombstone()->set_repository(repository);
  AppendChange(transaction, change);
  // The object of such a blob is in quarantine. There is nothing to restore.
  if (blob.object().empty()) return transaction.Delete(keys::Blob(digest));
  v1::TrashRow row;
  row.set_removed_ms(now_ms);
  row.mutable_blob()->set_digest(digest.ToString());
  row.mutable_blob()->set_object(blob.object());
  row.mutable_blob()->set_size_bytes(blob.size_bytes());
  TRY_VOID(WriteRow(transaction, keys::Trash(run, trash_kind::kBlob, "", digest.ToString()), row));
  blob.set_state(v1::BLOB_STATE_TRASHED);
  blob.set_run(run);
  return WriteRow(transaction, keys::Blob(digest), blob);
}

Result<bool> UntrashBlob(MetaTransaction& transaction, const Digest& digest) {
  const std::string key = keys::Blob(digest);
  TRY(auto blob, ReadRow<v1::BlobRow>(transaction, key));
  if (!blob.has_value() || blob->object().empty()) return false;
  if (blob->state() != v1::BLOB_STATE_TRASHED) return true;
  TRY_VOID(transaction.Delete(keys::Trash(blob->run(), trash_kind::kBlob, "", digest.ToString())));
  blob->set_state(v1::BLOB_STATE_LIVE);
  blob->clear_run();
  TRY_VOID(WriteRow(transaction, key, *blob));
  return true;
}

}  // namespace outport::store
