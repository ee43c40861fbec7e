#include "store/uploads/body_receiver.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "store/uploads/started_work.h"

namespace outport::store {
namespace {

constexpr size_t kWideBuffer = 1 << 20;
constexpr size_t kNarrowBuffer = 128 << 10;

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

Pusher PusherOf(const UploadSession& session) {
  return {.user = session.user, .repository = session.repository.ToString()};
}

// The part of a body that is in one buffer.
struct Filled {
  size_t size_bytes = 0;
  bool last = false;  // whether the body ends here, completely or with `error`
  Result<void> error = {};
};

net::awaitable<Filled> Fill(UploadSessions::Claim& claim, ByteSource& body, MutableBytes buffer) {
  Filled filled;
  while (filled.size_bytes < buffer.size()) {
    claim.SetAwaitsClient(true);
    const Result<size_t> read = co_await body.Read(buffer.subspan(filled.size_bytes));
    claim.SetAwaitsClient(false);
    if (!read.has_value()) {
      filled.error = read.error();
      filled.last = true;
      break;
    }
    filled.size_bytes += *read;
    if (*read == 0) {
      filled.last = true;
      break;
    }
  }
  co_return filled;
}

size_t BufferBytes(size_t most, const std::optional<uint64_t>& length) {
  if (!length.has_value() || *length >= most) return most;
  // One byte more than the body, so that the same read also finds the end of the body.
  return static_cast<size_t>(*length) + 1;
}

}  // namespace

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

// The part of the space for reservations that one body has. Bodies that find nothing left are
// received without a reservation.
class BodyReceiver::Reservation {
 public:
  Reservation(std::atomic<uint64_t>& total, uint64_t wanted, uint64_t most) : total_(total) {
    uint64_t before = total_.load();
    do {
      bytes_ = std::min(wanted, most - std::min(most, before));
    } while (!total_.compare_exchange_weak(before, before + bytes_));
  }
  ~Reservation() { total_ -= bytes_; }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

  uint64_t bytes() const { return bytes_; }

 private:
  std::atomic<uint64_t>& total_;
  uint64_t bytes_ = 0;
};

BodyReceiver::BodyReceiver(Parts parts)
    : parts_(parts),
      slots_(parts_.limits.bodies),
      received_bytes_(parts_.metrics.Counter("outport_store_upload_bytes_total",
                                             "Bytes of blobs received from clients.")) {}

net::awaitable<Result<void>> BodyReceiver::Receive(UploadSessions::ClaimPtr claim,
                                                   std::optional<ByteRange> range,
                                                   ByteSource& body) {
  if (claim->took_over()) co_await Release(claim);  // what the silent client still had
  const std::optional<uint64_t> length = body.length();
  CO_TRY_VOID(CheckRange(range, claim->session().size_bytes.load(), length));
  if (length == 0) co_return Result<void>();
  const std::optional<Slots::Slot> slot = slots_.Acquire();
  if (!slot.has_value()) {
    co_return Error{ErrorCode::kTooManyRequests, "too many uploads are in progress; retry shortly"};
  }
  const Reservation reservation(reserved_bytes_, length.value_or(0), parts_.limits.reserved_bytes);
  auto reserve = [this, claim, length, reserved = reservation.bytes()] {
    return Reserve(claim->session(), length, reserved);
  };
  CO_TRY(const size_t alignment, co_await Blocking(parts_.disk, std::move(reserve)));
  const size_t most = slot->rank() < parts_.limits.wide ? kWideBuffer : kNarrowBuffer;
  Result<void> copied = co_await Copy(claim, range, body, BufferBytes(most, length), alignment);
  if (!copied.has_value() && reservation.bytes() > 0) co_await Release(std::move(claim));
  co_return copied;
}

Result<size_t> BodyReceiver::Reserve(UploadSession& session, std::optional<uint64_t> length,
                                     uint64_t reserved) {
  TRY_VOID(parts_.blobs.RequireFreeSpace(length.value_or(0), PusherOf(session)));
  BlobWriter& writer = *session.writer;
  if (reserved == 0) return writer.alignment();
  const Result<void> expected = writer.Expect(writer.size_bytes() + reserved);
  if (!expected.has_value()) {
    // A file system may have reserved a part of the space.
    [[maybe_unused]] const Result<void> best_effort = writer.Expect(writer.size_bytes());
    return expected.error();
  }
  return writer.alignment();
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
                                                size_t buffer_bytes, size_t alignment) {
  // The pool shares the buffers: it may still write one to the disk when this coroutine is
  // destroyed.
  std::array<std::shared_ptr<Buffer>, 2> buffers;
  for (auto& buffer : buffers) buffer = std::make_shared<Buffer>(buffer_bytes, alignment);
  std::optional<StartedWork> appending;
  uint64_t left = range.has_value() ? range->size : UINT64_MAX;
  uint64_t offset = claim->session().size_bytes.load();
  Filled filled;
  for (size_t turn = 0; !filled.last; ++turn) {
    const std::shared_ptr<Buffer> buffer = buffers[turn % 2];
    const MutableBytes room = buffer->RoomAt(offset);
    filled = co_await Fill(*claim, body, room);
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
      auto append = [this, work = std::move(work), buffer] {
        return AppendTo(work.session(), buffer->filled);
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

// If the append fails, destroys the writer. The next request then opens a new writer with the bytes
// received so far.
Result<void> BodyReceiver::AppendTo(UploadSession& session, Bytes bytes) {
  TRY_VOID(parts_.blobs.RequireFreeSpace(bytes.size(), PusherOf(session)));
  Result<void> appended = session.writer->Append(bytes);
  if (!appended.has_value()) {
    session.writer.reset();
    return appended;
  }
  session.size_bytes = session.writer->size_bytes();
  received_bytes_.Increment(static_cast<double>(bytes.size()));
  return {};
}

}  // namespace outport::store
