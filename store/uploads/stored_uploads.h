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

// Upload sessions on the disk, by which they outlive the process: a row (upload/<id>), and the
// uncommitted bytes in the BlobStore under the session's id.
//
// The row is written without a sync when a session begins. It survives a kill, and so do all
// written bytes, because the kernel holds them. The row names the boot of the kernel: under the
// same boot all bytes of the file count. After a power cut only the checkpointed bytes count. A
// checkpoint syncs the bytes, and then a row with their number.
//
// Safe for several threads, one per session. Every method blocks.
class StoredUploads {
 public:
  // `boot_id`: of the running kernel.
  StoredUploads(MetaStore& meta, BlobStore& bytes, const Clock& clock, std::string boot_id, Log log)
      : meta_(meta), bytes_(bytes), clock_(clock), boot_id_(std::move(boot_id)), log_(log) {}

  // Writes the row of a session whose writer is open. From then on the session's bytes count as
  // written under this boot.
  Result<void> Record(const UploadSession& session);
  // Records that this many bytes of the session survive a power cut. REQUIRES: they are
  // checkpointed.
  Result<void> RecordCheckpoint(UploadSession& session, uint64_t checkpointed_bytes);
  // Deletes the row and the bytes, without a sync: what comes back after a power cut expires. Logs
  // a failure.
  void Forget(UploadSession& session);
  // Deletes the row as part of the transaction that makes the session's bytes a blob.
  static Result<void> Complete(MetaTransaction& transaction, const UploadSession& session);

  struct Loaded {
    std::vector<UploadSessions::Session> sessions;
    size_t lost = 0;     // discarded because their bytes do not match their rows
    size_t expired = 0;  // discarded because of `limits`
  };
  // Loads the sessions of an earlier process, at most limits.sessions. Discards all others, and the
  // bytes that no row names. Call it at start, before the other methods.
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
