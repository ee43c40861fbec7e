#include "store/uploads.h"

#include <algorithm>
#include <array>
#include <utility>

#include "registry/base/file.h"
#include "store/repeat.h"
#include "store/started_work.h"

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

net::awaitable<Filled> Fill(ByteSource& body, MutableBytes buffer) {
  Filled filled;
  while (filled.size_bytes < buffer.size()) {
    const Result<size_t> read = co_await body.Read(buffer.subspan(filled.size_bytes));
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

Uploads::Uploads(Parts parts)
    : parts_(parts),
      sessions_(parts.clock, parts.limits.sessions),
      open_(parts.metrics.Gauge("outport_store_uploads_open", "Upload sessions that are open.")),
      received_bytes_(parts.metrics.Counter("outport_store_upload_bytes_total",
                                            "Bytes of blobs received from clients.")),
      expired_(parts.metrics.Counter("outport_store_uploads_expired_total",
                                     "Upload sessions discarded because nobody used them.")) {}

net::awaitable<Result<UploadStatus>> Uploads::Start(std::string user, RepositoryName repository) {
  auto start = [this, &user, &repository]() -> Result<std::string> {
    TRY_VOID(parts_.blobs.RequireSpace(0));
    TRY(std::unique_ptr<BlobWriter> writer, parts_.bytes.Create(DigestAlgorithm::kSha256));
    return sessions_.Add(repository, user, std::move(writer));
  };
  CO_TRY(std::string id, co_await Blocking(parts_.disk, std::move(start)));
  CountSessions();
  co_return UploadStatus{std::move(id), 0};
}

Result<UploadStatus> Uploads::Stat(const std::string& user, const RepositoryName& repository,
                                   const std::string& id) const {
  TRY(const uint64_t size, sessions_.Size(id, repository, user));
  return UploadStatus{id, size};
}

net::awaitable<Result<UploadStatus>> Uploads::Append(std::string user, RepositoryName repository,
                                                     std::string id, std::optional<ByteRange> range,
                                                     ByteSource& body) {
  CO_TRY(const Claim claim, sessions_.Take(id, repository, user));
  CO_TRY_VOID(co_await Receive(claim, range, body));
  co_return UploadStatus{std::move(id), claim->session().size_bytes.load()};
}

net::awaitable<Result<PushedBlob>> Uploads::Finish(std::string user, RepositoryName repository,
                                                   std::string id, std::optional<ByteRange> range,
                                                   Digest digest, ByteSource& body) {
  CO_TRY(Claim claim, sessions_.Take(id, repository, user));
  CO_TRY_VOID(co_await Receive(claim, range, body));
  // From here on the session is over, whatever comes of it.
  auto commit = [this, claim = std::move(claim), digest]() -> Result<PushedBlob> {
    UploadSession& session = claim->session();
    claim->Discard();
    Result<PushedBlob> pushed = parts_.blobs.Commit(session.repository, *session.writer, digest);
    session.writer.reset();
    return pushed;
  };
  Result<PushedBlob> pushed = co_await Blocking(parts_.disk, std::move(commit));
  CountSessions();
  co_return pushed;
}

net::awaitable<Result<void>> Uploads::Cancel(std::string user, RepositoryName repository,
                                             std::string id) {
  CO_TRY(Claim claim, sessions_.Take(id, repository, user));
  co_await Discard(std::move(claim));
  co_return Result<void>();
}

net::awaitable<void> Uploads::Discard(Claim claim) {
  claim->Discard();
  auto drop = [claim = std::move(claim)]() -> Result<void> {
    claim->session().writer.reset();
    return {};
  };
  // A full pool drops the work, and the writer with it.
  const Result<void> dropped = co_await Blocking(parts_.disk, std::move(drop));
  static_cast<void>(dropped);
  CountSessions();
}

net::awaitable<Result<void>> Uploads::Receive(Claim claim, std::optional<ByteRange> range,
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
    TRY_VOID(parts_.blobs.RequireSpace(length.value_or(0)));
    if (!length.has_value()) return {};
    BlobWriter& writer = *claim->session().writer;
    return writer.Expect(writer.size_bytes() + *length);
  };
  CO_TRY_VOID(co_await Blocking(parts_.disk, std::move(reserve)));
  co_return co_await Copy(std::move(claim), range, body, place.buffer_bytes(length));
}

net::awaitable<Result<void>> Uploads::Copy(Claim claim, std::optional<ByteRange> range,
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
    filled = co_await Fill(body, room);
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
      auto append = [this, claim, buffer] { return AppendTo(claim, *buffer); };
      appending = StartedWork::Start(parts_.disk, std::move(append));
      if (filled.last) appended = co_await appending->Finish();
    }
    if (!appended.has_value()) {
      co_await Discard(std::move(claim));  // a writer that failed cannot go on
      co_return appended;
    }
  }
  if (filled.error.has_value() && range.has_value() && left > 0) {
    co_return Error{ErrorCode::kSizeInvalid, "the chunk is shorter than its Content-Range says"};
  }
  co_return filled.error;
}

Result<void> Uploads::AppendTo(const Claim& claim, const Buffer& buffer) {
  UploadSession& session = claim->session();
  TRY_VOID(parts_.blobs.RequireSpace(buffer.filled.size()));
  TRY_VOID(session.writer->Append(buffer.filled));
  session.size_bytes = session.writer->size_bytes();
  received_bytes_.Increment(static_cast<double>(buffer.filled.size()));
  return {};
}

size_t Uploads::Expire() {
  const size_t expired = sessions_.Expire();
  expired_.Increment(static_cast<double>(expired));
  CountSessions();
  return expired;
}

net::awaitable<void> Uploads::ExpireUntilCancelled() {
  constexpr std::chrono::seconds kLongest{60};
  const auto period =
      std::clamp(parts_.limits.sessions.idle / 4, std::chrono::seconds(1), kLongest);
  auto sweep = [this]() -> net::awaitable<void> {
    auto expire = [this]() -> Result<size_t> { return Expire(); };
    const Result<size_t> expired = co_await Blocking(parts_.disk, std::move(expire));
    static_cast<void>(expired);  // a full pool: at the next turn
  };
  co_await RepeatUntilCancelled(period, std::move(sweep));
}

}  // namespace outport::store
