#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "node/blobs/blob_source.h"
#include "node/blobs/cached_blobs.h"
#include "node/blobs/fetch_metrics.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/base/result.h"

namespace outport::node {

// The tail of a blob: these last bytes are released only when the whole digest has verified.
inline constexpr uint64_t kTailBytes = 64 << 10;

struct FetchLimits {
  std::chrono::milliseconds first_byte_deadline{6000};  // give up if the store sends nothing
  std::chrono::milliseconds progress_deadline{60000};   // give up after this long without a chunk
  std::chrono::milliseconds stall_limit{4000};  // cancel a silent stream that readers wait for
  std::chrono::milliseconds first_pause{100};   // before a resumption; doubles up to last_pause
  std::chrono::milliseconds last_pause{5000};
};

// The fetch of one blob from the store into the cache. It belongs to the node and not to a client.
// One thread runs it. Any number of readers read behind its watermark, and wait for the watermark.
// A broken stream is resumed where it broke. Safe for all threads. `source`, `cached` and
// `metrics` outlive the fetch.
class BlobFetch {
 public:
  BlobFetch(BlobRequest request, BlobSource& source, CachedBlobs& cached,
            const FetchMetrics& metrics, FetchLimits limits, Log log);

  const BlobRequest& request() const { return request_; }

  // Fetches and verifies the blob, and records its copy. Readers are notified of success or failure
  // before this returns. True if the blob has verified; its object is object(). Blocks. Call it
  // once.
  bool Run();
  std::string object() const;

  // Adds a reader. False if this fetch has failed or was cancelled: begin another one.
  bool Join();
  // Removes a reader. The last one cancels the fetch, unless more than a quarter has arrived.
  void Leave();
  // Cancels the fetch. Readers get `why`.
  void Cancel(const Error& why);

  // Waits until the byte at `offset` is released, or all bytes are. Returns how many bytes from the
  // start are released. Fails with the error of the fetch, or with kUnavailable if the fetch makes
  // no progress. REQUIRES: the caller has joined; the coroutine runs on a strand.
  net::awaitable<Result<uint64_t>> WaitReleased(uint64_t offset);
  // How many bytes have arrived, released or not.
  uint64_t Watermark() const;
  // The writer, to read the bytes before the watermark. nullptr before the first byte.
  std::shared_ptr<const BlobWriter> Written() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class StreamEnd { kComplete, kBroken, kFailed };
  class StreamInUse;

  Result<void> Fetch();
  Result<void> ReceiveAll(BlobWriter& writer);
  StreamEnd Receive(BlobWriter& writer, Error& why);
  // Sets the current stream, for cancellation. False if the fetch was cancelled meanwhile.
  bool SetStream(BlobStream* stream);
  bool Pause(std::chrono::milliseconds pause);
  void Advance(size_t bytes);
  Result<void> Publish(BlobWriter& writer);
  void CancelStalledStream();
  void CancelLocked(const Error& why) OUTPORT_REQUIRES_LOCK(mutex_);
  uint64_t Released() const OUTPORT_REQUIRES_LOCK(mutex_);
  std::optional<Error> Cancelled() const;

  const BlobRequest request_;
  BlobSource& source_;
  CachedBlobs& cached_;
  const FetchMetrics& metrics_;
  const FetchLimits limits_;
  const Log log_;
  Notifier changed_;

  mutable Mutex mutex_;
  CondVar cancelled_;
  // Shared with readers, which read from it also after the fetch has ended.
  std::shared_ptr<BlobWriter> writer_ OUTPORT_GUARDED_BY(mutex_);
  BlobStream* stream_ OUTPORT_GUARDED_BY(mutex_) = nullptr;
  uint64_t watermark_ OUTPORT_GUARDED_BY(mutex_) = 0;
  bool verified_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::string object_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> cancel_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> failure_ OUTPORT_GUARDED_BY(mutex_);
  size_t readers_ OUTPORT_GUARDED_BY(mutex_) = 0;
  Time advanced_ OUTPORT_GUARDED_BY(mutex_);      // when the last chunk arrived, or the start
  Time stream_alive_ OUTPORT_GUARDED_BY(mutex_);  // the same for the current stream
};

// A reader's membership in a fetch: leaves on destruction.
class FetchHold {
 public:
  // Joins the fetch; nullptr if it has failed or was cancelled.
  static std::unique_ptr<FetchHold> Join(std::shared_ptr<BlobFetch> fetch);
  // REQUIRES: the caller has joined the fetch.
  explicit FetchHold(std::shared_ptr<BlobFetch> fetch) : fetch_(std::move(fetch)) {}
  ~FetchHold();
  FetchHold(const FetchHold&) = delete;
  FetchHold& operator=(const FetchHold&) = delete;

  BlobFetch& operator*() const { return *fetch_; }
  BlobFetch* operator->() const { return fetch_.get(); }

 private:
  const std::shared_ptr<BlobFetch>
      fetch_;  // shared with the thread that runs it, and other readers
};

}  // namespace outport::node
