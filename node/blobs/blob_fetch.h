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

// The length of a blob's tail. A fetch releases the tail to readers only when the whole blob's
// digest has verified.
inline constexpr uint64_t kTailBytes = 64 << 10;

struct FetchLimits {
  // A fetch fails if its first chunk does not arrive within this time.
  std::chrono::milliseconds first_byte_deadline{6000};
  // After the first chunk, a fetch fails if no new chunk arrives within this time.
  std::chrono::milliseconds progress_deadline{60000};
  // If readers wait and the stream sends no chunk for this time, the fetch resumes on a new stream.
  std::chrono::milliseconds stall_limit{4000};
  // The pause before a broken stream is resumed. It doubles with each attempt, up to `last_pause`.
  std::chrono::milliseconds first_pause{100};
  std::chrono::milliseconds last_pause{5000};
};

// The fetch of one blob from the store into the cache. The fetch belongs to the node and not to a
// client. One thread runs it. Any number of readers read the bytes before the watermark, and wait
// for the next bytes. If the stream breaks, the fetch resumes it at the watermark. Safe for several
// threads. `source`, `cached` and `metrics` outlive the fetch.
class BlobFetch {
 public:
  BlobFetch(BlobRequest request, BlobSource& source, CachedBlobs& cached,
            const FetchMetrics& metrics, FetchLimits limits, Log log);

  const BlobRequest& request() const { return request_; }

  // Fetches and verifies the blob, and records its copy. Notifies the readers of success or failure
  // before it returns. Returns true if the blob has verified; then object() names the copy's
  // object. Blocks. Call it once.
  bool Run();
  std::string object() const;

  // Adds a reader. Returns false if this fetch has failed or was cancelled: begin another fetch
  // then.
  bool Join();
  // Removes a reader. If it was the last reader, cancels the fetch, unless more than a quarter of
  // the blob has arrived.
  void Leave();
  // Cancels the fetch. Its readers get the error `why`.
  void Cancel(const Error& why);

  // Leaves no copy in the cache: the store has removed the blob. The fetch serves its readers to
  // the end.
  void DiscardCopy();

  // Waits until the byte at `offset` is released, or all bytes of the blob are. Returns how many
  // bytes from the blob's start are released. If the fetch fails, returns its error. Returns
  // kUnavailable if the fetch makes no progress. REQUIRES: the caller has joined the fetch; the
  // coroutine runs on a strand.
  net::awaitable<Result<uint64_t>> WaitReleased(uint64_t offset);
  // Returns how many bytes have arrived, whether or not they are released.
  uint64_t Watermark() const;
  // Returns the writer of the copy. Readers read the bytes before the watermark from it. nullptr if
  // the fetch has not begun to write, or has failed.
  std::shared_ptr<const BlobWriter> Written() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class StreamEnd { kComplete, kBroken, kFailed };
  class StreamInUse;

  Result<void> Fetch();
  Result<void> ReceiveAll(BlobWriter& writer);
  StreamEnd Receive(BlobWriter& writer, Error& why);
  // Sets the stream that Cancel() must cancel, or nullptr. Returns false if the fetch is already
  // cancelled.
  bool SetStream(BlobStream* stream);
  bool Pause(std::chrono::milliseconds pause);
  void Advance(size_t bytes);
  Result<void> Publish(BlobWriter& writer);
  void RecordCopy(const BlobLocation& location);
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
  // Readers share the writer. They read from it also after the fetch has ended.
  std::shared_ptr<BlobWriter> writer_ OUTPORT_GUARDED_BY(mutex_);
  BlobStream* stream_ OUTPORT_GUARDED_BY(mutex_) = nullptr;
  uint64_t watermark_ OUTPORT_GUARDED_BY(mutex_) = 0;
  bool verified_ OUTPORT_GUARDED_BY(mutex_) = false;
  bool discard_copy_ OUTPORT_GUARDED_BY(mutex_) = false;
  std::string object_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> cancel_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Error> failure_ OUTPORT_GUARDED_BY(mutex_);
  size_t readers_ OUTPORT_GUARDED_BY(mutex_) = 0;
  // The time when the latest chunk arrived. Until a chunk arrives: when the fetch was created.
  Time advanced_ OUTPORT_GUARDED_BY(mutex_);
  // When the last chunk of the current stream arrived, or when the stream began.
  Time stream_alive_ OUTPORT_GUARDED_BY(mutex_);
};

// One reader of a fetch. The destructor leaves the fetch.
class FetchHold {
 public:
  // Joins the fetch. Returns nullptr if the fetch has failed or was cancelled.
  static std::unique_ptr<FetchHold> Join(std::shared_ptr<BlobFetch> fetch);
  // REQUIRES: the caller has joined the fetch.
  explicit FetchHold(std::shared_ptr<BlobFetch> fetch) : fetch_(std::move(fetch)) {}
  ~FetchHold();
  FetchHold(const FetchHold&) = delete;
  FetchHold& operator=(const FetchHold&) = delete;

  BlobFetch& operator*() const { return *fetch_; }
  BlobFetch* operator->() const { return fetch_.get(); }

 private:
  const std::shared_ptr<BlobFetch> fetch_;  // other readers and the fetch's thread share the fetch
};

}  // namespace outport::node
