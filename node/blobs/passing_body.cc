#include "node/blobs/passing_body.h"

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "node/blobs/blob_fetch.h"
#include "registry/storage/blob_store.h"

namespace outport::node {

PassingBody::PassingBody(BlobRequest request, uint64_t offset, BlobSource& source,
                         const FetchMetrics& metrics, Slots::Slot slot, PassingLimits limits)
    : request_(std::move(request)),
      info_{request_.digest, request_.size_bytes},
      source_(source),
      metrics_(metrics),
      slot_(std::move(slot)),
      limits_(limits),
      hasher_(request_.digest.algorithm()) {
  Restart(offset);
}

void PassingBody::Restart(uint64_t offset) {
  channel_.reset();
  chunks_.clear();
  next_ = offset / kChecksumBlockBytes * kChecksumBlockBytes;
  whole_ = next_ == 0;
  hasher_ = Hasher(request_.digest.algorithm());
}

net::awaitable<Result<void>> PassingBody::Prefetch() {
  if (info_.size_bytes == 0) co_return CheckDigest();
  CO_TRY_VOID(co_await Read(0, 1));
  co_return Result<void>();
}

net::awaitable<Result<void>> PassingBody::SkipTo(uint64_t offset) {
  while (next_ <= offset && next_ < info_.size_bytes) CO_TRY_VOID(co_await ReceiveChunk());
  co_return Result<void>();
}

net::awaitable<Result<Bytes>> PassingBody::Read(uint64_t offset, uint64_t at_most) {
  const uint64_t oldest = chunks_.empty() ? next_ : chunks_.front().begin;
  if (offset < oldest || offset >= next_ + kChecksumBlockBytes) Restart(offset);
  const uint64_t tail = info_.size_bytes - std::min(info_.size_bytes, kTailBytes);
  const uint64_t needed = offset >= tail && whole_ ? info_.size_bytes : offset + 1;
  while (next_ < needed) CO_TRY_VOID(co_await ReceiveChunk());
  for (const Chunk& chunk : chunks_) {
    const uint64_t end = chunk.begin + chunk.data.size();
    if (offset < chunk.begin || offset >= end) continue;
    const uint64_t released = whole_ && next_ < info_.size_bytes ? std::min(end, tail) : end;
    co_return Bytes(chunk.data).subspan(offset - chunk.begin, std::min(released - offset, at_most));
  }
  co_return Error{ErrorCode::kInternal, "a chunk of a passing blob has an unexpected offset"};
}

// Receives one chunk. If the stream is broken, resumes it with a new stream.
net::awaitable<Result<void>> PassingBody::ReceiveChunk() {
  for (int attempt = 1;; ++attempt) {
    // If the reader's connection ends, the waits below do not throw. So check for cancellation
    // before each attempt.
    const auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) {
      co_return Error{ErrorCode::kCancelled, "the connection of the blob's reader has ended"};
    }
    if (channel_ == nullptr) channel_ = source_.Subscribe(request_, next_);
    Result<Bytes> data = co_await channel_->Next(limits_.chunk_deadline);
    if (data.has_value()) co_return Append(*data);
    channel_.reset();
    if (!MayRetry(data.error()) || attempt >= limits_.attempts) {
      co_return ForClient(std::move(data).error());
    }
    metrics_.resumed.Increment();
    net::steady_timer timer(co_await net::this_coro::executor, limits_.pause);
    boost::system::error_code ignored;  // the next attempt checks for cancellation
    co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
  }
}

Result<void> PassingBody::Append(Bytes data) {
  metrics_.bytes.Increment(static_cast<double>(data.size()));
  if (whole_) hasher_.Update(data);
  if (chunks_.size() == 2) chunks_.pop_front();
  chunks_.push_back(Chunk{next_, {data.begin(), data.end()}});
  next_ += data.size();
  if (!whole_ || next_ < info_.size_bytes) return Result<void>();
  return CheckDigest();
}

Result<void> PassingBody::CheckDigest() {
  if (hasher_.Current() == request_.digest) return Result<void>();
  metrics_.corrupt_digest.Increment();
  chunks_.clear();
  return Error{ErrorCode::kCorrupt, "the bytes that the store sent for " +
                                        request_.digest.ToString() + " have another digest"};
}

}  // namespace outport::node
