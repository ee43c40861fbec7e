#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/upload.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"
#include "store/uploads/upload_sessions.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"

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
// The row also names its owner, the process that has the session. A process loads only sessions
// whose owner has ended, and becomes their owner. If another process has taken a session from this
// one, because this one was too slow to renew its lease, every write returns kBlobUploadUnknown.
//
// Who deletes the row of a session cancels the session, also that of another process: the owner's
// next write returns kBlobUploadUnknown, and the owner then discards the bytes.
//
// Whoever discards a session discards its bytes first, and then deletes the row, so that after a
// kill the row still names the bytes. Only in three cases does a kill leave bytes without a row:
// between the first bytes of a session and its row; after another process has deleted the row, and
// before the owner's next step; and after the commit of a blob that the store had already. Such
// bytes remain until a process loads the sessions while no other process lives. While others live,
// nobody can know whether bytes without a row belong to a session that begins just now.
//
// Safe for several threads, if only one thread at a time works on a session. Every method blocks.
class StoredUploads {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    const Clock& clock;
    const StoreClock& store_clock;
    const Owner& owner;
    std::string boot_id;  // the current boot of the kernel
    Log log;
  };
  explicit StoredUploads(Parts parts) : parts_(std::move(parts)) {}

  // Writes the row of a new session.
  Result<void> Record(const UploadSession& session);
  // Writes the row again, for a session whose writer was opened again. The row then says that the
  // session's bytes were written under the current boot.
  Result<void> RecordReopened(const UploadSession& session);
  // Records that the session's first `checkpointed_bytes` bytes survive a power cut. REQUIRES:
  // BlobWriter::Checkpoint() has synced these bytes.
  Result<void> RecordCheckpoint(UploadSession& session, uint64_t checkpointed_bytes);
  // Discards the bytes and deletes the row, without a sync, unless another process has taken the
  // session. If they come back after a power cut, the session expires later. Logs a failure.
  void Forget(UploadSession& session);
  // Discards the bytes, deletes the row and records in the audit log who did it, in one synced
  // transaction. If the bytes cannot be discarded, returns the error, and the row stays. After any
  // error but kBlobUploadUnknown, the session continues with the bytes that are left.
  Result<void> Cancel(UploadSession& session, const Actor& by);
  // Deletes the row as part of the transaction that makes the session's bytes a blob.
  Result<void> Complete(MetaTransaction& transaction, const UploadSession& session) const;
  // Returns whether the session still has a row that names this process.
  Result<bool> IsOurs(const UploadSession& session) const;

  struct Cancelled {
    uint64_t size_bytes = 0;
    // The process that discards the bytes at its next step. Empty: the bytes are discarded.
    std::string owner = {};
  };
  // Cancels a session that this process does not have in memory: deletes its row, with an entry in
  // the audit log. If its owner has ended, first discards the bytes; if that fails, the row stays.
  // kBlobUploadUnknown if there is no such row.
  Result<Cancelled> CancelRow(const std::string& id, const Actor& by);
  // Returns the rows of at most `limit` sessions of all processes, in the order of their ids, after
  // the id `after`. `limit` is at least 1. Leaves out rows that cannot be read.
  struct Listed {
    std::string id;
    v1::UploadRow row;
    bool owner_ended = false;
  };
  Result<RowPage<Listed>> List(const std::string& after, size_t limit) const;

  struct Loaded {
    std::vector<UploadSessions::Session> sessions;
    size_t lost = 0;     // sessions discarded because their bytes do not match their rows
    size_t expired = 0;  // sessions discarded because of `limits`
  };
  // Loads the sessions of processes that have ended, at most limits.sessions of them, and becomes
  // their owner. Discards the other sessions of such processes. Discards bytes that belong to no
  // session, unless another process lives, whose bytes these may be. Call it at start, before the
  // other methods.
  Result<Loaded> Load(const UploadSessions::Limits& limits);

  // Says which sessions to take over from other processes, and how.
  struct Takeover {
    // Returns whether the process with this id has ended. The id is empty if the row has no owner,
    // or cannot be read.
    std::function<Result<bool>(const std::string& owner)> is_dead;
    // Returns an error if this process may no longer take over sessions. It runs in each
    // transaction. nullptr: nobody else takes over sessions.
    std::function<Result<void>(MetaTransaction&)> fence = nullptr;
    size_t room = 0;                   // how many sessions to take over
    bool discards_surplus = false;     // beyond `room`; otherwise they stay as they are
    std::chrono::nanoseconds idle{0};  // discards sessions that were unused for so long
  };
  // Does what Load() does with the sessions of processes that have ended, for one page: at most
  // kPage rows after the id `after`, which it then sets to the last id of the page, or to nothing
  // after the last page. Does not discard bytes without a row. Callable while other sessions are in
  // use.
  Result<Loaded> TakeOverPage(std::string& after, const Takeover& takeover);
  static constexpr size_t kPage = 256;

 private:
  enum class Writes { kNewRow, kExistingRow };
  Result<void> Write(const UploadSession& session, uint64_t checkpointed_bytes, Writes writes,
                     MetaTransaction::Durability durability);
  Result<void> Remove(const std::string& id);
  Result<void> LoadPage(std::string& after, const Takeover& takeover, Loaded& loaded,
                        std::set<std::string>& kept);
  // Loads the session of a row, or discards it. Adds the ids of sessions whose bytes must stay to
  // `kept`.
  Result<void> LoadOne(const KeyValue& pair, const Takeover& takeover, Loaded& loaded,
                       std::set<std::string>& kept);
  Result<UploadSessions::Session> Restore(const std::string& id, const v1::UploadRow& row) const;
  // These two methods make this process the owner in the row, or discard the session. They return
  // false if the row has changed meanwhile.
  Result<bool> TakeOver(const KeyValue& pair, v1::UploadRow row, const Takeover& takeover);
  Result<bool> Discard(const KeyValue& pair, const Takeover& takeover);

  const Parts parts_;
};

}  // namespace outport::store
