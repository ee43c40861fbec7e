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

// This much of a blob's end is held back until the digest of the whole has verified.
inline constexpr uint64_t kTailBytes = 64 << 10;

struct FetchLimits {
  std::chrono::milliseconds first_byte_deadline{6000};  // give up on a store that brings nothing
  std::chrono::milliseconds progress_deadline{60000};   // give up after this long without a chunk
  std::chrono::milliseconds stall_limit{4000};          // cut a silent stream that readers wait for
  std::chrono::milliseconds first_pause{100};  // before a resumption; doubles up to last_pause
  std::chrono::milliseconds last_pause{5000};
};

// The fetch of one blob from the store into the cache, owned by the node and not by any client. One
// thread runs it; readers, any number at any offset, read behind its watermark and wait for it. A
// broken stream is resumed where it broke. Safe for all threads. What is passed by reference
// outlives it.
class BlobFetch {
 public:
  BlobFetch(BlobRequest request, BlobSource& source, CachedBlobs& cached,
            const FetchMetrics& metrics, FetchLimits limits, Log log);

  const BlobRequest& request() const { return request_; }

  // Fetches, verifies, and enters the blob among the cached ones; returns when that is done or has
  // failed, and readers know by then. True if a copy was entered: its object is object(). Blocks;
  // called once.
  bool Run();
  std::string object() const;

  // A reader comes; false if this fetch has failed or was given up: begin another.
  bool Join();
  // A reader goes. The last one to go gives the fetch up, unless more than a quarter is here.
  void Leave();
  // Gives up; readers get `why`.
  void Cancel(const Error& why);

  // Waits until the byte at `offset` may leave, or all may; returns how many bytes from the start
  // may. Fails as the fetch did, or with kUnavailable if it makes no progress.
  // REQUIRES: the caller holds a Join; the coroutine runs on a strand.
  net::awaitable<Result<uint64_t>> WaitReleased(uint64_t offset);
  // What is here so far; released or not.
  uint64_t Watermark() const;
  // Reads the bytes before the watermark. nullptr before the first of them.
  std::shared_ptr<const BlobWriter> Written() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class StreamEnd { kComplete, kBroken, kFailed };
  class StreamInUse;

  Result<void> Fetch();
  Result<void> ReceiveAll(BlobWriter& writer);
  StreamEnd Receive(BlobWriter& writer, Error& why);
  // False if the fetch was cancelled meanwhile.
  bool Use(BlobStream* stream);
  bool Pause(std::chrono::milliseconds pause);
  void Advance(size_t bytes);
  Result<void> Publish(BlobWriter& writer);
  void CutStalledStream();
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
  // Shared with readers: what they read lives as long as they do, committed or not.
  std::shared_ptr<BlobWriter> writer_ OUTPORT_GUARDED_BY(mutex_);
  BlobStream* stream_ OUTPORT_GUARDED_BY(mutex_) = nullptr;
  uint64_t watermark_ OUTPORT_GUARDED_BY(mutex_) = 0;
  bool verified_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::string object_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> cancel_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> failure_ OUTPORT_GUARDED_BY(mutex_);
  size_t readers_ OUTPORT_GUARDED_BY(mutex_) = 0;
  Time advanced_ OUTPORT_GUARDED_BY(mutex_);      // when the last chunk came, or the fetch was made
  Time stream_alive_ OUTPORT_GUARDED_BY(mutex_);  // the same of the current stream
};

// A reader's hold on a fetch.
class FetchHold {
 public:
  // nullptr if it cannot be joined.
  static std::unique_ptr<FetchHold> Take(std::shared_ptr<BlobFetch> fetch);
  // REQUIRES: it was joined.
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
