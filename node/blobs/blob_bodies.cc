#include "node/blobs/blob_bodies.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace outport::node {
namespace {

// Quarantines a corrupt copy, so that the next request fetches it again.
net::awaitable<void> Quarantine(BodyContext& context, Digest digest, std::string object,
                                Error why) {
  context.metrics.corrupt_copy.Increment();
  auto quarantine = [&cached = context.cached, digest, object, why] {
    cached.Quarantine(digest, object, why);
    return Result<void>();
  };
  // If the pool rejects the work, the copy stays, and its next reader finds the corrupt block
  // again.
  const Result<void> posted = co_await Blocking(context.disk, quarantine);
  static_cast<void>(posted);
}

}  // namespace

CachedBody::CachedBody(BodyContext& context, const Digest& digest, CachedCopy copy,
                       uint64_t read_bytes, Reopen reopen)
    : context_(context),
      info_{digest, copy.location.size_bytes},
      copy_(std::move(copy)),
      read_bytes_(read_bytes),
      reopen_(std::move(reopen)) {}

net::awaitable<Result<Bytes>> CachedBody::Read(uint64_t offset, uint64_t at_most) {
  if (rest_ == nullptr && block_.At(offset).empty()) {
    const Result<void> loaded =
        co_await block_.Load(copy_.reader, context_.disk, offset, info_.size_bytes);
    if (!loaded.has_value()) {
      // The pool was full, so nothing is known about the copy.
      if (loaded.error().code == ErrorCode::kTooManyRequests) co_return loaded.error();
      co_await Quarantine(context_, info_.digest, copy_.location.object, loaded.error());
      const uint64_t read_bytes = offset == read_bytes_ ? offset : 0;
      CO_TRY(rest_, co_await reopen_(read_bytes));
    }
  }
  if (rest_ != nullptr) co_return co_await rest_->Read(offset, at_most);
  const Bytes held = block_.At(offset);
  const size_t size = std::min<uint64_t>(held.size(), at_most);
  if (offset == read_bytes_) read_bytes_ += size;
  co_return held.first(size);
}

FetchBody::FetchBody(BodyContext& context, std::unique_ptr<FetchHold> fetch, uint64_t read_bytes)
    : context_(context),
      fetch_(std::move(fetch)),
      info_{(*fetch_)->request().digest, (*fetch_)->request().size_bytes},
      position_(read_bytes) {}

net::awaitable<Result<void>> FetchBody::Prefetch() {
  const Result<uint64_t> released = co_await (*fetch_)->WaitReleased(0);
  if (released.has_value()) {
    released_ = *released;
    co_return Result<void>();
  }
  if (released.error().code != ErrorCode::kNoSpace) co_return released.error();
  CO_TRY_VOID(co_await PassThrough(position_));
  if (position_ > 0) co_return Result<void>();
  co_return co_await passing_->Prefetch();
}

net::awaitable<Result<Bytes>> FetchBody::Read(uint64_t offset, uint64_t at_most) {
  if (offset != position_) in_order_ = false;
  if (passing_ == nullptr && (offset >= released_ || block_.At(offset).empty())) {
    CO_TRY_VOID(co_await Load(offset));
  }
  if (passing_ != nullptr) co_return co_await passing_->Read(offset, at_most);
  const Bytes held = block_.At(offset);
  const uint64_t size = std::min({held.size(), released_ - offset, at_most});
  position_ = offset + size;
  co_return held.first(size);
}

net::awaitable<Result<void>> FetchBody::Load(uint64_t offset) {
  BlobFetch& fetch = **fetch_;
  // A reader of the whole blob relies on the check of the digest, which a stream from the middle
  // does not make. Such a reader is ahead only if it has read a corrupt copy before.
  if (!in_order_ && offset > fetch.Watermark() + context_.far_ahead_bytes) {
    PassAhead(offset);
    if (passing_ != nullptr) co_return Result<void>();
  }
  const Result<uint64_t> released = co_await fetch.WaitReleased(offset);
  if (!released.has_value()) {
    if (released.error().code != ErrorCode::kNoSpace) co_return released.error();
    co_return co_await PassThrough(offset);
  }
  released_ = *released;
  if (!block_.At(offset).empty()) co_return Result<void>();
  const std::shared_ptr<const BlobWriter> written = fetch.Written();
  // The fetch has just failed: Load() returns its error.
  if (written == nullptr) co_return co_await Load(offset);
  const Result<void> loaded =
      co_await block_.Load(written, context_.disk, offset, info_.size_bytes);
  if (!loaded.has_value() && loaded.error().code == ErrorCode::kCorrupt) {
    const std::string object = fetch.object();
    if (!object.empty()) co_await Quarantine(context_, info_.digest, object, loaded.error());
    fetch.Cancel(loaded.error());
  }
  co_return loaded;
}

net::awaitable<Result<void>> FetchBody::PassThrough(uint64_t offset) {
  std::optional<Slots::Slot> slot = context_.passing_slots.Acquire();
  if (!slot.has_value()) {
    co_return Error{ErrorCode::kTooManyRequests,
                    "too many blobs are passed through from the store; retry shortly"};
  }
  context_.metrics.passed_no_space.Increment();
  const uint64_t begin = in_order_ ? 0 : offset;
  passing_ = std::make_unique<PassingBody>((*fetch_)->request(), begin, context_.source,
                                           context_.metrics, *std::move(slot), context_.passing);
  // A reader of the whole blob relies on the check of the digest. So fetch and hash again the bytes
  // that the reader already has.
  if (in_order_ && offset > 0) co_return co_await passing_->SkipTo(offset);
  co_return Result<void>();
}

// Begins to pass through from `offset`. If no slot is free, does nothing: the reader then waits
// until the fetch reaches `offset`.
void FetchBody::PassAhead(uint64_t offset) {
  std::optional<Slots::Slot> slot = context_.passing_slots.Acquire();
  if (!slot.has_value()) return;
  context_.metrics.passed_ahead.Increment();
  passing_ = std::make_unique<PassingBody>((*fetch_)->request(), offset, context_.source,
                                           context_.metrics, *std::move(slot), context_.passing);
}

}  // namespace outport::node
