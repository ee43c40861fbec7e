#include "store/uploads/body_receiver.h"

#include <algorithm>
#include <array>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

#include "registry/base/notifier.h"
#include "store/uploads/started_work.h"

namespace outport::store {
namespace {

constexpr size_t kWideBuffer = 1 << 20;
constexpr size_t kNarrowBuffer = 128 << 10;
constexpr std::chrono::hours kYieldCheck{1};

// Checks that the client's Content-Range begins where the session ends, and has the body's length.
Result<void> CheckRange(const std::optional<ByteRange>& range, uint64_t received,
                        const std::optional<uint64_t>& length) {
  if (!range.has_value()) return {};
  if (range->offset != received) {
    return Error{ErrorCode::kRangeInvalid,
                 "the chunk begins at byte " + std::to_string(range->offset) +
                     ", but the session has received " + std::to_string(received) +
                     " bytes; continue from there"};
  }
  if (length.has_value() && *length != range->size) {
    return Error{ErrorCode::kSizeInvalid,
                 "the chunk's Content-Range says " + std::to_string(range->size) +
                     " bytes, but its length is " + std::to_string(*length)};
  }
  return {};
}

size_t BufferBytes(size_t most, const std::optional<uint64_t>& length) {
  if (!length.has_value() || *length >= most) return most;
  // One byte more than the body, so that the same read also finds the end of the body.
  return static_cast<size_t>(*length) + 1;
}

Error Yielded() {
  return Error{
      ErrorCode::kRequestTimeout,
      "this upload was the slowest one of a user with many uploads, and another user needed "
      "its place; continue the upload session where it ends"};
}

// Whether a body must yield. For the strand of the body.
struct Yield {
  bool asked = false;
  Notifier changed = {};
};

net::awaitable<void> AwaitYield(std::shared_ptr<Yield> yield) {
  co_await net::this_coro::throw_if_cancelled(false);
  while (!yield->asked) {
    const auto state = co_await net::this_coro::cancellation_state;
    if (state.cancelled() != net::cancellation_type::none) co_return;
    const uint64_t seen = yield->changed.Version();
    co_await yield->changed.WaitPast(seen, std::chrono::steady_clock::now() + kYieldCheck);
  }
}

}  // namespace

// The place of one body among those in progress.
struct BodyReceiver::Place {
  Shares::Holding share;
  std::shared_ptr<Yield> yield = std::make_shared<Yield>();
};

// The part of a body that is in one buffer.
struct BodyReceiver::Filled {
  size_t size_bytes = 0;
  bool last = false;  // whether the body ends here, completely or with `error`
  Result<void> error = {};
};

class BodyReceiver::Buffer {
 public:
  Buffer(size_t size, size_t alignment) : size_(size), alignment_(alignment) {
    size_t space = size + 3 * alignment;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(space);
    void* aligned = memory_.get();
    aligned_ = static_cast<std::byte*>(std::align(alignment, size, aligned, space));
  }

  // Returns memory for the bytes of the blob from `offset` on. The address and `offset` are equal
  // modulo the alignment, and the memory ends at a multiple of the alignment. So the writer need
  // not copy the bytes.
  MutableBytes RoomAt(uint64_t offset) const {
    const size_t begin = offset % alignment_;
    const size_t end = (begin + size_ + alignment_ - 1) / alignment_ * alignment_;
    return {aligned_ + begin, end - begin};
  }

  Bytes filled;

 private:
  const size_t size_;
  const size_t alignment_;
  std::unique_ptr<std::byte[]> memory_;
  std::byte* aligned_;  // in memory_; size_ bytes and two alignments fit after it
};

net::awaitable<BodyReceiver::Filled> BodyReceiver::Fill(UploadSessions::Claim& claim,
                                                        ByteSource& body, MutableBytes buffer,
                                                        Place& place) {
  Filled filled;
  while (filled.size_bytes < buffer.size()) {
    if (place.yield->asked) {
      filled.error = Yielded();
      filled.last = true;
      break;
    }
    claim.SetAwaitsClient(true);
    const Result<size_t> read = co_await body.Read(buffer.subspan(filled.size_bytes));
    claim.SetAwaitsClient(false);
    if (!read.has_value()) {
      filled.error = read.error();
      filled.last = true;
      break;
    }
    filled.size_bytes += *read;
    place.share.Moved(*read);
    if (*read == 0) {
      filled.last = true;
      break;
    }
  }
  co_return filled;
}

BodyReceiver::BodyReceiver(Parts parts)
    : parts_(parts),
      shares_({.what = "upload bodies",
               .capacity = parts_.limits.bodies,
               .fix = "push fewer blobs at the same time"},
              parts_.metrics, parts_.clock, parts_.log),
      received_bytes_(parts_.metrics.Counter("outport_store_upload_bytes_total",
                                             "Bytes of blobs received from clients.")) {}

net::awaitable<Result<void>> BodyReceiver::Receive(UploadSessions::ClaimPtr claim,
                                                   std::optional<ByteRange> range,
                                                   ByteSource& body) {
  if (claim->took_over()) co_await Release(claim);  // what the silent client still had
  const std::optional<uint64_t> length = body.length();
  CO_TRY_VOID(CheckRange(range, claim->session().size_bytes.load(), length));
  if (length == 0) co_return Result<void>();
  Holder user{.kind = HolderKind::kUser, .name = claim->session().user};
  CO_TRY(Shares::Holding share, co_await shares_.TakeSoon(std::move(user)));
  Place place{.share = std::move(share)};
  auto yield = [asked = place.yield] {
    asked->asked = true;
    asked->changed.Notify();
  };
  place.share.OnYield(co_await net::this_coro::executor, std::move(yield));
  // The pool shares the space: it may still append when this coroutine is destroyed.
  const auto space = std::make_shared<BodySpace>(parts_.blobs, length);
  auto check = [claim, space]() -> Result<size_t> {
    TRY_VOID(space->Check(claim->session()));
    return claim->session().writer->alignment();
  };
  CO_TRY(const size_t alignment, co_await Blocking(parts_.disk, std::move(check)));
  const uint64_t in_progress = shares_.capacity() - shares_.Free();
  const size_t most = in_progress <= parts_.limits.wide ? kWideBuffer : kNarrowBuffer;
  Buffers buffers;
  for (auto& buffer : buffers) {
    buffer = std::make_shared<Buffer>(BufferBytes(most, length), alignment);
  }
  Result<void> copied = co_await CopyOrYield(claim, range, body, buffers, space, place);
  if (!copied.has_value() && space->has_reserved(claim->session())) {
    co_await Release(std::move(claim));
  }
  co_return copied;
}

net::awaitable<void> BodyReceiver::Release(UploadSessions::ClaimPtr claim) {
  Result<UploadSessions::Work> begun = UploadSessions::BeginWork(std::move(claim));
  if (!begun.has_value()) co_return;  // another request has taken the session over, and releases
  auto release = [work = *std::move(begun)]() -> Result<void> {
    const UploadSession& session = work.session();
    return session.writer == nullptr ? Result<void>()
                                     : session.writer->Expect(session.size_bytes.load());
  };
  // The client gets the error that truncated the body. Space that stays reserved is released with
  // the session.
  [[maybe_unused]] const Result<void> best_effort =
      co_await BlockingInProgress(parts_.disk, std::move(release));
}

net::awaitable<Result<void>> BodyReceiver::Copy(UploadSessions::ClaimPtr claim,
                                                std::optional<ByteRange> range, ByteSource& body,
                                                const Buffers& buffers, BodySpacePtr space,
                                                Place& place) {
  std::optional<StartedWork> appending;
  uint64_t left = range.has_value() ? range->size : UINT64_MAX;
  uint64_t offset = claim->session().size_bytes.load();
  Filled filled;
  for (size_t turn = 0; !filled.last; ++turn) {
    const std::shared_ptr<Buffer> buffer = buffers[turn % 2];
    const MutableBytes room = buffer->RoomAt(offset);
    filled = co_await Fill(*claim, body, room, place);
    if (filled.size_bytes > left) {
      filled = {.size_bytes = static_cast<size_t>(left),
                .last = true,
                .error = Error{ErrorCode::kSizeInvalid,
                               "the chunk is longer than its Content-Range says"}};
    }
    left -= filled.size_bytes;
    offset += filled.size_bytes;
    Result<void> appended;
    if (appending.has_value()) appended = co_await appending->Finish();
    appending.reset();
    if (appended.has_value() && filled.size_bytes > 0) {
      buffer->filled = room.first(filled.size_bytes);
      CO_TRY(UploadSessions::Work work, UploadSessions::BeginWork(claim));
      auto append = [this, work = std::move(work), buffer, space] {
        return AppendTo(work.session(), buffer->filled, *space);
      };
      appending = StartedWork::Start(parts_.disk, std::move(append));
      if (filled.last) appended = co_await appending->Finish();
    }
    if (!appended.has_value()) co_return appended;
  }
  if (filled.error.has_value() && range.has_value() && left > 0) {
    co_return Error{ErrorCode::kSizeInvalid, "the chunk is shorter than its Content-Range says"};
  }
  co_return filled.error;
}

net::awaitable<Result<void>> BodyReceiver::CopyOrYield(UploadSessions::ClaimPtr claim,
                                                       std::optional<ByteRange> range,
                                                       ByteSource& body, const Buffers& buffers,
                                                       BodySpacePtr space, Place& place) {
  using net::experimental::awaitable_operators::operator||;
  Result<void> copied;
  std::exception_ptr thrown;  // operator|| would go on waiting after an exception
  auto copy = [&]() -> net::awaitable<void> {
    co_await net::this_coro::throw_if_cancelled(false);
    try {
      copied = co_await Copy(claim, range, body, buffers, space, place);
    } catch (...) {
      thrown = std::current_exception();
    }
  };
  co_await (copy() || AwaitYield(place.yield));
  if (thrown != nullptr) std::rethrow_exception(thrown);
  if (!copied.has_value() && place.yield->asked) co_return Yielded();
  co_return copied;
}

Result<void> BodyReceiver::AppendTo(UploadSession& session, Bytes bytes, BodySpace& space) {
  TRY_VOID(space.Append(session, bytes));
  received_bytes_.Increment(static_cast<double>(bytes.size()));
  return {};
}

}  // namespace outport::store
