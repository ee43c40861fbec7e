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
#include "store/blobs.h"
#include "store/upload_sessions.h"

namespace outport::store {

struct UploadLimits {
  UploadSessions::Limits sessions = {};
  // Requests that receive a body at once. Each has two buffers: of 1 MiB for the first `wide` of
  // them, of 128 KiB beyond, so that all of them together have a limit.
  size_t receiving = 512;
  size_t wide = 32;
};

// Blob uploads: sessions, and bodies on their way into them. While one buffer of a body is hashed
// and written on the pool, the other one fills from the connection. Callable from any strand;
// nothing here blocks but Expire. Outlived by what it borrows; the pool is stopped before.
class Uploads {
 public:
  struct Parts {
    BlobStore& bytes;
    Blobs& blobs;
    BlockingPool& disk;
    const Clock& clock;
    Metrics& metrics;
    UploadLimits limits = {};
  };
  explicit Uploads(Parts parts);

  // As Registry's methods.
  net::awaitable<Result<UploadStatus>> Start(std::string user, RepositoryName repository);
  Result<UploadStatus> Stat(const std::string& user, const RepositoryName& repository,
                            const std::string& id) const;
  net::awaitable<Result<UploadStatus>> Append(std::string user, RepositoryName repository,
                                              std::string id, std::optional<ByteRange> range,
                                              ByteSource& body);
  net::awaitable<Result<PushedBlob>> Finish(std::string user, RepositoryName repository,
                                            std::string id, std::optional<ByteRange> range,
                                            Digest digest, ByteSource& body);
  net::awaitable<Result<void>> Cancel(std::string user, RepositoryName repository, std::string id);

  // Discards sessions that were idle for too long. Blocks.
  size_t Expire();
  // Does so now and then, until it is cancelled.
  net::awaitable<void> ExpireUntilCancelled();

 private:
  using Claim = std::shared_ptr<UploadSessions::Claim>;  // shared with the work on the pool
  class Place;
  class Buffer;
  struct Received;

  // The whole of a body into the claimed session: what arrived before an error stays.
  net::awaitable<Result<void>> Receive(Claim claim, std::optional<ByteRange> range,
                                       ByteSource& body);
  net::awaitable<Result<void>> Copy(Claim claim, std::optional<ByteRange> range, ByteSource& body,
                                    size_t buffer_bytes);
  Result<void> AppendTo(const Claim& claim, const Buffer& buffer);
  net::awaitable<void> Discard(Claim claim);
  void CountSessions() { open_.Set(static_cast<double>(sessions_.Count())); }

  const Parts parts_;
  UploadSessions sessions_;
  Mutex mutex_;
  size_t receiving_ OUTPORT_GUARDED_BY(mutex_) = 0;
  prometheus::Gauge& open_;
  prometheus::Counter& received_bytes_;
  prometheus::Counter& expired_;
};

}  // namespace outport::store
