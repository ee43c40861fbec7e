#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "registry/service/registry.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/blobs.h"
#include "store/uploads/stored_uploads.h"
#include "store/uploads/upload_sessions.h"

namespace outport::store {

struct UploadLimits {
  UploadSessions::Limits sessions = {};
  // Requests that receive a body at once. Each has two buffers: of 1 MiB for the first `wide` of
  // them, of 128 KiB beyond, so that all of them together have a limit.
  size_t receiving = 512;
  size_t wide = 32;
  // A request that leaves more than this to a power cut syncs it before it is answered. Less is
  // synced once nobody worked on the session for `settled`.
  uint64_t unsafe_bytes = 8 << 20;
  std::chrono::seconds settled{10};
};

// Blob uploads: sessions, and bodies on their way into them. While one buffer of a body is hashed
// and written on the pool, the other one fills from the connection. Sessions outlive the process
// (StoredUploads). Callable from any strand; only what says so blocks. Outlived by what it borrows;
// the pool is stopped before.
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
    std::string boot_id;  // this boot of the kernel
    UploadLimits limits = {};
  };
  explicit Uploads(Parts parts);

  // Takes up the sessions that an earlier process left. Before all others. Blocks.
  Result<void> Load();

  // As Registry's methods.
  net::awaitable<Result<UploadStatus>> Start(std::string user, RepositoryName repository,
                                             DigestAlgorithm algorithm);
  Result<UploadStatus> Stat(const std::string& user, const RepositoryName& repository,
                            const std::string& id) const;
  net::awaitable<Result<UploadStatus>> Append(std::string user, RepositoryName repository,
                                              std::string id, std::optional<ByteRange> range,
                                              ByteSource& body);
  net::awaitable<Result<PushedBlob>> Finish(Actor by, RepositoryName repository, std::string id,
                                            std::optional<ByteRange> range, Digest digest,
                                            ByteSource& body);
  net::awaitable<Result<void>> Cancel(std::string user, RepositoryName repository, std::string id);

  // Discards sessions that were idle for too long. Blocks.
  size_t Expire();
  // Makes safe from a power cut what nobody worked on for `idle`, until the deadline. Blocks.
  void SaveUnsafe(std::chrono::nanoseconds idle, std::chrono::steady_clock::time_point deadline);
  // Does both now and then, until it is cancelled.
  net::awaitable<void> ExpireUntilCancelled();

 private:
  using ClaimPtr = UploadSessions::ClaimPtr;
  using Work = UploadSessions::Work;
  class Place;
  class Buffer;
  struct Reopening;

  // The session for one request, with an open writer.
  net::awaitable<Result<ClaimPtr>> Take(std::string user, RepositoryName repository,
                                        std::string id);
  net::awaitable<Result<void>> Reopen(ClaimPtr claim);
  // The whole of a body into the claimed session: what arrived before an error stays.
  net::awaitable<Result<void>> Receive(ClaimPtr claim, std::optional<ByteRange> range,
                                       ByteSource& body);
  net::awaitable<Result<void>> Copy(ClaimPtr claim, std::optional<ByteRange> range,
                                    ByteSource& body, size_t buffer_bytes);
  Result<void> AppendTo(UploadSession& session, Bytes bytes);
  // After a body, whole or cut.
  net::awaitable<Result<void>> Settle(ClaimPtr claim, bool cut);
  Result<void> Save(UploadSession& session);
  // The session is gone, and what is stored of it.
  void Discard(UploadSession& session);
  void CountSessions() { open_.Set(static_cast<double>(sessions_.Count())); }

  const Parts parts_;
  UploadSessions sessions_;
  StoredUploads stored_;
  Mutex mutex_;
  size_t receiving_ OUTPORT_GUARDED_BY(mutex_) = 0;
  prometheus::Gauge& open_;
  prometheus::Counter& received_bytes_;
  prometheus::Counter& expired_;
  prometheus::Counter& resumed_;
  prometheus::Counter& lost_;
  prometheus::Counter& taken_over_;
};

}  // namespace outport::store
