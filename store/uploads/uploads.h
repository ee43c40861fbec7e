#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/service/registry.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/blobs.h"
#include "store/uploads/body_receiver.h"
#include "store/uploads/stored_uploads.h"
#include "store/uploads/upload_sessions.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"

namespace outport::store {

struct UploadLimits {
  UploadSessions::Limits sessions = {};
  BodyReceiver::Limits bodies = {};
  // If a session has at least this many bytes without a checkpoint, the store makes a checkpoint
  // before it answers the request. If it has fewer, CheckpointIdle() makes the checkpoint when the
  // session was unused for `checkpoint_after`.
  uint64_t max_uncheckpointed_bytes = 8 << 20;
  std::chrono::seconds checkpoint_after{10};
};

// Uploads of blobs. UploadSessions has the sessions, BodyReceiver receives the bodies, and
// StoredUploads keeps the rows by which sessions outlive the process. Callable from any strand. A
// method blocks only if its comment says so. The parts outlive the Uploads. The owner stops the
// pool before it destroys the Uploads.
class Uploads {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    Blobs& blobs;
    BlockingPool& disk;
    const Clock& clock;
    const StoreClock& store_clock;
    const Owner& owner;  // in whose name sessions are open
    Metrics& metrics;
    Log log;
    std::string boot_id;  // the current boot of the kernel
    UploadLimits limits = {};
  };
  explicit Uploads(Parts parts);

  // Loads the sessions of processes that have ended. Call it before the other methods. Blocks.
  Result<void> Load();

  // These methods do what the methods of Registry say. A session belongs to the user by.name.
  net::awaitable<Result<UploadStatus>> Start(Actor by, RepositoryName repository,
                                             DigestAlgorithm algorithm);
  Result<UploadStatus> Stat(const Actor& by, const RepositoryName& repository,
                            const std::string& id) const;
  net::awaitable<Result<UploadStatus>> Append(Actor by, RepositoryName repository, std::string id,
                                              std::optional<ByteRange> range, ByteSource& body);
  net::awaitable<Result<PushedBlob>> Finish(Actor by, RepositoryName repository, std::string id,
                                            std::optional<ByteRange> range, Digest digest,
                                            ByteSource& body);
  net::awaitable<Result<void>> Cancel(Actor by, RepositoryName repository, std::string id);

  // A session for administrators.
  struct Overview {
    std::string id;
    std::string repository;
    std::string user;
    int64_t started_ms = 0;
    int64_t used_ms = 0;
    uint64_t size_bytes = 0;
    int64_t expires_ms = 0;    // if nobody uses it before
    bool active = false;       // a request is using it
    std::string owner = {};    // the process that has the session
    bool owner_ended = false;  // and no other process has taken the session yet
  };
  // Returns at most `limit` sessions of all processes, in the order of their ids, after the id
  // `after`. `limit` is at least 1. Of the sessions of other processes, used_ms and size_bytes are
  // as of the last checkpoint. Blocks.
  Result<RowPage<Overview>> List(const std::string& after, size_t limit) const;
  // Cancels a session of any user and any process, and returns how many bytes it had. Records it in
  // the audit log. Waits for a request of this process that uses the session, as Cancel() does. If
  // another process that lives has the session, the result names that process: it discards the
  // bytes at its next step. kBlobUploadUnknown if there is no such session; kTooManyRequests if the
  // request goes on using it.
  using Cancelled = StoredUploads::Cancelled;
  net::awaitable<Result<Cancelled>> CancelAny(std::string id, Actor by);

  // Takes over sessions of processes that have ended, while this process runs. As
  // StoredUploads::TakeOverPage(), up to the limit of open sessions. Returns how many sessions this
  // process has taken over or discarded. Blocks.
  Result<size_t> TakeOverPage(std::string& after, StoredUploads::Takeover takeover);

  // Discards sessions that were unused for too long, and returns their number. Blocks.
  size_t Expire();
  // Makes checkpoints of the sessions that were unused for `idle`. Stops at the deadline. Blocks.
  void CheckpointIdle(std::chrono::nanoseconds idle,
                      std::chrono::steady_clock::time_point deadline);
  // Ends the unused sessions whose rows no longer name this process, because somebody cancelled
  // them or another process took them over. Returns their number. Blocks.
  size_t EndCancelled();
  // Calls Expire(), CheckpointIdle() and EndCancelled() periodically, until the coroutine is
  // cancelled.
  net::awaitable<void> ExpireUntilCancelled();

 private:
  using ClaimPtr = UploadSessions::ClaimPtr;
  using Work = UploadSessions::Work;
  struct Reopening;

  // Claims the session for one request, and opens its writer.
  net::awaitable<Result<ClaimPtr>> ClaimSession(std::string user, RepositoryName repository,
                                                std::string id);
  net::awaitable<Result<void>> Reopen(ClaimPtr claim);
  net::awaitable<Result<Cancelled>> CancelClaimed(ClaimPtr claim, Actor by);
  Overview ToOverview(const StoredUploads::Listed& row) const;
  // Makes a checkpoint after a body, complete or truncated, if the session has many new bytes.
  net::awaitable<Result<void>> FinishBody(ClaimPtr claim);
  Result<void> Checkpoint(UploadSession& session);
  // Removes the session, its row and its bytes.
  void Discard(UploadSession& session);
  void CountSessions() { open_.Set(static_cast<double>(sessions_.Count())); }

  const Parts parts_;
  UploadSessions sessions_;
  StoredUploads stored_;
  BodyReceiver bodies_;
  prometheus::Gauge& open_;
  prometheus::Counter& expired_;
  prometheus::Counter& resumed_;
  prometheus::Counter& lost_;
  prometheus::Counter& taken_over_;
};

}  // namespace outport::store
