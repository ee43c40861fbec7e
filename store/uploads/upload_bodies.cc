#include <algorithm>
#include <array>
#include <utility>

#include "registry/base/file.h"
#include "store/uploads/started_work.h"
#include "store/uploads/uploads.h"

// How Uploads takes a body in.
namespace outport::store {
namespace {

constexpr size_t kWideBuffer = 1 << 20;
constexpr size_t kNarrowBuffer = 128 << 10;

// What the client says of the body, against what the session has and the body is.
Result<void> CheckRange(const std::optional<ByteRange>& range, uint64_t received,
                        const std::optional<uint64_t>& length) {
  if (!range.has_value()) return {};
  if (range->offset != received) {
    return Error{ErrorCode::kRangeInvalid,
                 "the chunk begins at byte " + std::to_string(range->offset) +
                     ", but the session has received " + std::to_string(received) +
                     " bytes: go on from there"};
  }
  if (length.has_value() && *length != range->size) {
    return Error{ErrorCode::kSizeInvalid, "the chunk's Content-Range says " +
                                              std::to_string(range->size) + " bytes, its length " +
                                              std::to_string(*length)};
  }
  return {};
}

// A buffer's worth of a body.
struct Filled {
  size_t size_bytes = 0;
  bool last = false;  // the body has ended, well or with `error`
  Result<void> error = {};
};

net::awaitable<Filled> Fill(UploadSessions::Claim& claim, ByteSource& body, MutableBytes buffer) {
  Filled filled;
  while (filled.size_bytes < buffer.size()) {
    claim.AwaitClient(true);
    const Result<size_t> read = co_await body.Read(buffer.subspan(filled.size_bytes));
    claim.AwaitClient(false);
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

}  // namespace

// Room for one request to receive a body, and how large its buffers may be.
class Uploads::Place {
 public:
  explicit Place(Uploads& uploads) : uploads_(uploads) {
    MutexLock lock(uploads_.mutex_);
    rank_ = uploads_.receiving_++;
  }
  ~Place() {
    MutexLock lock(uploads_.mutex_);
    --uploads_.receiving_;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  bool taken() const { return rank_ < uploads_.parts_.limits.receiving; }
  size_t buffer_bytes(const std::optional<uint64_t>& length) const {
    const size_t most = rank_ < uploads_.parts_.limits.wide ? kWideBuffer : kNarrowBuffer;
    if (!length.has_value() || *length >= most) return most;
    return static_cast<size_t>(*length) + 1;  // for the end
  }

 private:
  Uploads& uploads_;
  size_t rank_ = 0;
};

class Uploads::Buffer {
 public:
  explicit Buffer(size_t size) : size_(size) {
    size_t space = size + 3 * kDirectBytes;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(space);
    void* aligned = memory_.get();
    aligned_ = static_cast<std::byte*>(std::align(kDirectBytes, size, aligned, space));
  }

  // Room for what comes at `offset` of the blob: aligned as it is, so that it can go to the disk
  // without a copy, and up to a page's end, so that what follows begins one.
  MutableBytes RoomAt(uint64_t offset) const {
    const size_t begin = offset % kDirectBytes;
    const size_t end = (begin + size_ + kDirectBytes - 1) / kDirectBytes * kDirectBytes;
    return {aligned_ + begin, end - begin};
  }

  Bytes filled;

 private:
  const size_t size_;
  std::unique_ptr<std::byte[]> memory_;
  std::byte* aligned_;  // in it, with two pages more than size_
};

net::awaitable<Result<void>> Uploads::Receive(ClaimPtr claim, std::optional<ByteRange> range,
                                              ByteSource& body) {
  const std::optional<uint64_t> length = body.length();
  CO_TRY_VOID(CheckRange(range, claim->session().size_bytes.load(), length));
  if (length == 0) co_return Result<void>();
  const Place place(*this);
  if (!place.taken()) {
    co_return Error{ErrorCode::kTooManyRequests,
                    "too many uploads are under way; try again shortly"};
  }
  auto reserve = [this, claim, length]() -> Result<void> {
    TRY_VOID(parts_.blobs.RequireFreeSpace(length.value_or(0)));
    if (!length.has_value()) return {};
    BlobWriter& writer = *claim->session().writer;
    return writer.Expect(writer.size_bytes() + *length);
  };
  CO_TRY_VOID(co_await Blocking(parts_.disk, std::move(reserve)));
  co_return co_await Copy(std::move(claim), range, body, place.buffer_bytes(length));
}

net::awaitable<Result<void>> Uploads::Copy(ClaimPtr claim, std::optional<ByteRange> range,
                                           ByteSource& body, size_t buffer_bytes) {
  // Shared with the pool, which may still write one when this coroutine is gone.
  std::array<std::shared_ptr<Buffer>, 2> buffers;
  for (auto& buffer : buffers) buffer = std::make_shared<Buffer>(buffer_bytes);
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
      CO_TRY(Work work, UploadSessions::Begin(claim));
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

// A writer that failed cannot go on; the session can: it is read again up to what it received.
Result<void> Uploads::AppendTo(UploadSession& session, Bytes bytes) {
  TRY_VOID(parts_.blobs.RequireFreeSpace(bytes.size()));
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
