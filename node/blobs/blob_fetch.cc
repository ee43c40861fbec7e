#include "node/blobs/blob_fetch.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <random>
#include <utility>

#include "registry/base/blocking_pool.h"

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Returns a random time between half of `pause` and `pause`, so that many nodes do not retry at the
// same moment.
milliseconds Jittered(milliseconds pause) {
  std::random_device random;
  return pause / 2 + milliseconds(random() % (pause.count() / 2 + 1));
}

// Counts a waiting reader in the gauge, from its construction to its destruction.
class WaitingReader {
 public:
  explicit WaitingReader(prometheus::Gauge& gauge) : gauge_(gauge) { gauge_.Increment(); }
  ~WaitingReader() { gauge_.Decrement(); }
  WaitingReader(const WaitingReader&) = delete;
  WaitingReader& operator=(const WaitingReader&) = delete;

 private:
  prometheus::Gauge& gauge_;
};

}  // namespace

BlobFetch::BlobFetch(BlobRequest request, BlobSource& source, CachedBlobs& cached,
                     const FetchMetrics& metrics, FetchLimits limits, Log log)
    : request_(std::move(request)),
      source_(source),
      cached_(cached),
      metrics_(metrics),
      limits_(limits),
      log_(log.With({{"digest", request_.digest.ToString()},
                     {"repository", request_.repository.ToString()},
                     {"request_id", request_.request_id}})),
      advanced_(steady_clock::now()),
      stream_alive_(advanced_) {}

// Registers a stream with the fetch, from its construction to its destruction, so that the fetch
// can cancel the stream.
class BlobFetch::StreamInUse {
 public:
  StreamInUse(BlobFetch& fetch, BlobStream& stream)
      : fetch_(fetch), usable_(fetch.SetStream(&stream)) {}
  ~StreamInUse() { fetch_.SetStream(nullptr); }
  StreamInUse(const StreamInUse&) = delete;
  StreamInUse& operator=(const StreamInUse&) = delete;
  // Returns false if the fetch was cancelled before the registration.
  bool usable() const { return usable_; }

 private:
  BlobFetch& fetch_;
  const bool usable_;
};

bool BlobFetch::Run() {
  auto fetch = [this] { return Fetch(); };
  const Result<void> fetched = Guarded(fetch);
  if (fetched.has_value()) {
    metrics_.finished.Increment();
    return true;
  }
  const ErrorCode code = fetched.error().code;
  (code == ErrorCode::kCancelled ? metrics_.given_up : metrics_.failed).Increment();
  if (code == ErrorCode::kCorrupt) metrics_.corrupt_digest.Increment();
  if (code != ErrorCode::kCancelled) {
    log_.Warning("blob fetch failed", {{"error", fetched.error().message}});
  }
  {
    MutexLock lock(mutex_);
    failure_ = fetched.error();
    writer_.reset();
  }
  changed_.Notify();
  return false;
}

Result<void> BlobFetch::Fetch() {
  if (auto why = Cancelled()) return *std::move(why);
  TRY(std::shared_ptr<BlobWriter> writer, cached_.Begin(request_.digest, request_.size_bytes));
  {
    MutexLock lock(mutex_);
    writer_ = writer;
  }
  TRY_VOID(ReceiveAll(*writer));
  return Publish(*writer);
}

Result<void> BlobFetch::ReceiveAll(BlobWriter& writer) {
  milliseconds pause = limits_.first_pause;
  auto give_up = steady_clock::now() + limits_.first_byte_deadline;
  while (Watermark() < request_.size_bytes) {
    const uint64_t before = Watermark();
    Error why;
    const StreamEnd end = Receive(writer, why);
    if (end == StreamEnd::kComplete) break;
    if (auto cancelled = Cancelled()) return *std::move(cancelled);
    if (end == StreamEnd::kFailed || !MayRetry(why)) return ForClient(std::move(why));
    if (Watermark() > before) {
      pause = limits_.first_pause;
      give_up = steady_clock::now() + limits_.progress_deadline;
    }
    const milliseconds wait = Jittered(pause);
    if (steady_clock::now() + wait > give_up) {
      return Error{ErrorCode::kUnavailable, "fetching " + request_.digest.ToString() +
                                                " from the store failed: " + why.message};
    }
    log_.Info("blob stream broken", {{"offset", Watermark()}, {"error", why.message}});
    if (!Pause(wait)) return *Cancelled();
    pause = std::min(pause * 2, limits_.last_pause);
    metrics_.resumed.Increment();
  }
  return Result<void>();
}

// Receives chunks of one stream until the stream ends or breaks. The watermark is always at the end
// of a block, so a new stream begins at the first missing byte.
BlobFetch::StreamEnd BlobFetch::Receive(BlobWriter& writer, Error& why) {
  const std::unique_ptr<BlobStream> stream = source_.Read(request_, Watermark());
  const StreamInUse use(*this, *stream);
  StreamEnd end = StreamEnd::kBroken;
  while (use.usable()) {
    const Result<Bytes> chunk = stream->Next();
    if (!chunk.has_value()) {
      why = chunk.error();
      break;
    }
    if (chunk->empty()) {
      end = StreamEnd::kComplete;
      break;
    }
    const Result<void> written = writer.Append(*chunk);
    if (!written.has_value()) {
      why = written.error();
      end = StreamEnd::kFailed;
      break;
    }
    Advance(chunk->size());
  }
  return end;
}

bool BlobFetch::SetStream(BlobStream* stream) {
  MutexLock lock(mutex_);
  stream_ = stream;
  stream_alive_ = steady_clock::now();
  return !cancel_.has_value();
}

bool BlobFetch::Pause(milliseconds pause) {
  const auto until = steady_clock::now() + pause;
  MutexLock lock(mutex_);
  while (!cancel_.has_value()) {
    if (!cancelled_.WaitUntil(mutex_, until)) return !cancel_.has_value();
  }
  return false;
}

void BlobFetch::Advance(size_t bytes) {
  metrics_.bytes.Increment(static_cast<double>(bytes));
  {
    MutexLock lock(mutex_);
    watermark_ += bytes;
    advanced_ = stream_alive_ = steady_clock::now();
  }
  changed_.Notify();
}

// Checks the digest and releases the tail to the readers. If the copy's row cannot be written, the
// readers still get the whole blob; only the cache does not keep it.
Result<void> BlobFetch::Publish(BlobWriter& writer) {
  TRY(const BlobLocation location, cached_.Commit(request_.digest, writer));
  {
    MutexLock lock(mutex_);
    verified_ = true;
    object_ = location.object;
  }
  changed_.Notify();
  RecordCopy(location);
  return Result<void>();
}

// DiscardCopy() may come before or after the copy's row is written. BlobCache first calls
// DiscardCopy(), then drops the copy whose row it finds. So if the flag is not set yet when the row
// is there, BlobCache finds the row.
void BlobFetch::RecordCopy(const BlobLocation& location) {
  const Result<void> recorded = cached_.RecordCopy(request_.digest, location);
  if (!recorded.has_value()) {
    log_.Warning("fetched blob not cached", {{"error", recorded.error().message}});
    return;
  }
  {
    MutexLock lock(mutex_);
    if (!discard_copy_) return;
  }
  const auto dropped = cached_.Drop({{request_.digest, location.object}});
  if (dropped.has_value()) {
    metrics_.dropped_tombstone.Increment(static_cast<double>(dropped->count));
    log_.Info("fetched blob not kept: the store has removed it");
  } else {
    log_.Warning("cached blobs not dropped", {{"error", dropped.error().message}});
  }
}

void BlobFetch::DiscardCopy() {
  MutexLock lock(mutex_);
  discard_copy_ = true;
}

std::string BlobFetch::object() const {
  MutexLock lock(mutex_);
  return object_;
}

std::optional<Error> BlobFetch::Cancelled() const {
  MutexLock lock(mutex_);
  return cancel_;
}

bool BlobFetch::Join() {
  MutexLock lock(mutex_);
  if (failure_.has_value() || cancel_.has_value()) return false;
  ++readers_;
  return true;
}

void BlobFetch::Leave() {
  MutexLock lock(mutex_);
  if (--readers_ > 0 || watermark_ * 4 > request_.size_bytes) return;
  CancelLocked(Error{ErrorCode::kCancelled, "every reader of the blob has left"});
}

void BlobFetch::Cancel(const Error& why) {
  MutexLock lock(mutex_);
  CancelLocked(why);
}

void BlobFetch::CancelLocked(const Error& why) {
  if (verified_ || cancel_.has_value()) return;
  cancel_ = why;
  if (stream_ != nullptr) stream_->Cancel();
  cancelled_.NotifyAll();
}

void BlobFetch::CancelStalledStream() {
  MutexLock lock(mutex_);
  const auto now = steady_clock::now();
  if (now - stream_alive_ < limits_.stall_limit) return;
  stream_alive_ = now;
  if (stream_ != nullptr) stream_->Cancel();
}

uint64_t BlobFetch::Released() const {
  if (verified_) return request_.size_bytes;
  const uint64_t tail = std::min(request_.size_bytes, kTailBytes);
  return std::min(watermark_, request_.size_bytes - tail);
}

uint64_t BlobFetch::Watermark() const {
  MutexLock lock(mutex_);
  return watermark_;
}

std::shared_ptr<const BlobWriter> BlobFetch::Written() const {
  MutexLock lock(mutex_);
  return writer_;
}

net::awaitable<Result<uint64_t>> BlobFetch::WaitReleased(uint64_t offset) {
  std::optional<WaitingReader> waiting;
  for (;;) {
    const uint64_t seen = changed_.Version();
    Time give_up;
    Time look_again;
    {
      MutexLock lock(mutex_);
      if (failure_.has_value()) co_return *failure_;
      if (verified_ || Released() > offset) co_return Released();
      give_up = advanced_ + limits_.progress_deadline;
      look_again = std::min(give_up, stream_alive_ + limits_.stall_limit);
    }
    if (steady_clock::now() >= give_up) {
      co_return Error{ErrorCode::kUnavailable, "fetching " + request_.digest.ToString() +
                                                   " from the store makes no progress; retry"};
    }
    if (!waiting.has_value()) waiting.emplace(metrics_.waiting_readers);
    const bool changed = co_await changed_.WaitPast(seen, look_again);
    // If the reader's connection ends, WaitPast() does not throw. So check for cancellation after
    // each wait.
    const auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) {
      co_return Error{ErrorCode::kCancelled, "the connection of the blob's reader has ended"};
    }
    if (!changed) CancelStalledStream();
  }
}

std::unique_ptr<FetchHold> FetchHold::Join(std::shared_ptr<BlobFetch> fetch) {
  if (!fetch->Join()) return nullptr;
  return std::make_unique<FetchHold>(std::move(fetch));
}

FetchHold::~FetchHold() { fetch_->Leave(); }

}  // namespace outport::node
