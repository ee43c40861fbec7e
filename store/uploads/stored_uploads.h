#pragma once

#include <set>
#include <string>
#include <vector>

#include "outport/v1/upload.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

// Keeps upload sessions on the disk, so that they outlive the process. A session has a row
// (upload/<id>), and uncommitted bytes in the BlobStore under the session's id.
//
// Record() writes the row without a sync when a session begins. The row and all written bytes
// survive a kill of the process, because the kernel has them. The row names the boot of the kernel.
// If the kernel has not restarted since, all bytes of the file are valid. After a restart of the
// kernel, for example after a power cut, only the checkpointed bytes are valid. A checkpoint first
// syncs the bytes, and then writes a synced row with their number.
//
// Safe for several threads, if only one thread at a time works on a session. Every method blocks.
class StoredUploads {
 public:
  // `boot_id` identifies the current boot of the kernel.
  StoredUploads(MetaStore& meta, BlobStore& bytes, const Clock& clock, std::string boot_id, Log log)
      : meta_(meta), bytes_(bytes), clock_(clock), boot_id_(std::move(boot_id)), log_(log) {}

  // Writes the row of a session whose writer is open. The row then says that the session's bytes
  // were written under the current boot.
  Result<void> Record(const UploadSession& session);
  // Records that the session's first `checkpointed_bytes` bytes survive a power cut. REQUIRES:
  // BlobWriter::Checkpoint() has synced these bytes.
  Result<void> RecordCheckpoint(UploadSession& session, uint64_t checkpointed_bytes);
  // Deletes the row and the bytes, without a sync. If they come back after a power cut, the session
  // expires later. Logs a failure.
  void Forget(UploadSession& session);
  // Deletes the row as part of the transaction that makes the session's bytes a blob.
  static Result<void> Complete(MetaTransaction& transaction, const UploadSession& session);

  struct Loaded {
    std::vector<UploadSessions::Session> sessions;
    size_t lost = 0;     // sessions discarded because their bytes do not match their rows
    size_t expired = 0;  // sessions discarded because of `limits`
  };
  // Loads the sessions of an earlier process, at most limits.sessions of them. Discards all other
  // sessions, and bytes that belong to no session. Call it at start, before the other methods.
  Result<Loaded> Load(const UploadSessions::Limits& limits);

 private:
  Result<void> Write(const UploadSession& session, uint64_t checkpointed_bytes,
                     MetaTransaction::Durability durability);
  Result<void> RemoveRow(const std::string& key);
  Result<UploadSessions::Session> Restore(const std::string& id, const v1::UploadRow& row) const;

  MetaStore& meta_;
  BlobStore& bytes_;
  const Clock& clock_;
  const std::string boot_id_;
  const Log log_;
};

}  // namespace outport::store
