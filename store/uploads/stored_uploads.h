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

// What is kept of upload sessions on the disk, so that they outlive the process: a row
// (upload/<id>) and the bytes, uncommitted, under the session's id.
//
// A row is written when a session begins, without a sync: that survives a kill. So do all bytes
// that were written, for the kernel holds them; the row names the kernel's boot, and while that
// lasts the bytes themselves say how many they are. What a power cut spares is was made
// safe: the bytes are synced, then the row that says how many, synced as well.
//
// Safe for several threads, one a session; every method blocks.
class StoredUploads {
 public:
  // `boot_id`: this boot of the kernel.
  StoredUploads(MetaStore& meta, BlobStore& bytes, const Clock& clock, std::string boot_id, Log log)
      : meta_(meta), bytes_(bytes), clock_(clock), boot_id_(std::move(boot_id)), log_(log) {}

  // Writes the row of a session whose writer is open: from here on its bytes are this boot's.
  Result<void> Enter(const UploadSession& session);
  // So many of the session's bytes survive a power cut from here on. REQUIRES: a checkpoint of
  // them.
  Result<void> NoteSafe(UploadSession& session, uint64_t safe_bytes);
  // Deletes the row and the bytes, without a sync: what comes back after a power cut expires. Logs
  // a failure.
  void Forget(UploadSession& session);
  // Deletes the row as part of the transaction that makes the session's bytes a blob.
  static Result<void> Complete(MetaTransaction& transaction, const UploadSession& session);

  struct Loaded {
    std::vector<UploadSessions::Session> sessions;
    size_t lost = 0;     // their bytes are not what their rows say
    size_t expired = 0;  // or more than `limits` allow
  };
  // What an earlier process left, at most limits.sessions; the rest is discarded, also bytes that
  // no row names. At start, before anything else.
  Result<Loaded> Load(const UploadSessions::Limits& limits);

 private:
  Result<void> Write(const UploadSession& session, uint64_t safe_bytes,
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
