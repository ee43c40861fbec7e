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
#include "registry/service/registry.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/blobs.h"
#include "store/uploads/body_receiver.h"
#include "store/uploads/stored_uploads.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

struct UploadLimits {
  UploadSessions::Limits sessions = {};
  BodyReceiver::Limits bodies = {};
  // If a request leaves more bytes than this without a checkpoint, the store makes one before it
  // answers. Fewer bytes are checkpointed once the session was unused for `checkpoint_after`.
  uint64_t max_uncheckpointed_bytes = 8 << 20;
  std::chrono::seconds checkpoint_after{10};
};

// Blob uploads: sessions (UploadSessions), the bodies that they receive (BodyReceiver), and their
// rows, by which sessions outlive the process (StoredUploads). Callable from any strand; only
// methods that say so block. The parts outlive it; the pool is stopped before it is destroyed.
class Uploads {
 public:
  struct Parts {
    MetaStore& meta;
    BlobStore& bytes;
    Blobs& blobs;
    BlockingPool& disk;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string boot_id;  // of the running kernel
    UploadLimits limits = {};
  };
  explicit Uploads(Parts parts);

  // Loads the sessions of an earlier process. Call it before the other methods. Blocks.
  Result<void> Load();

  // As the methods of Registry. A session belongs to the user by.name.
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

  // Discards sessions that were idle for too long. Blocks.
  size_t Expire();
  // Checkpoints the sessions that were unused for `idle`, until the deadline. Blocks.
  void CheckpointIdle(std::chrono::nanoseconds idle,
                      std::chrono::steady_clock::time_point deadline);
  // Does both periodically, until it is cancelled.
  net::awaitable<void> ExpireUntilCancelled();

 private:
  using ClaimPtr = UploadSessions::ClaimPtr;
  using Work = UploadSessions::Work;
  struct Reopening;

  // Claims the session for one request, and opens its writer.
  net::awaitable<Result<ClaimPtr>> ClaimSession(std::string user, RepositoryName repository,
                                                std::string id);
  net::awaitable<Result<void>> Reopen(ClaimPtr claim);
  // Ends the work on one body, complete or truncated: makes a checkpoint if there are many new
  // bytes, and releases the space reserved for a truncated body.
  net::awaitable<Result<void>> FinishBody(ClaimPtr claim, bool truncated);
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
