#include "store/content/intact_blobs.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace outport::store {
namespace {

constexpr uint64_t kReadBytes = 4 * kChecksumBlockBytes;
constexpr uint64_t kTurnBytes = 8 * kReadBytes;  // read in one turn of the pool

// Reads and checks the bytes from `begin` to `end`.
Result<void> ReadAll(const BlobReader& reader, uint64_t begin, uint64_t end) {
  std::vector<std::byte> buffer(kReadBytes);
  while (begin < end) {
    TRY(const size_t size, reader.Read(begin, buffer));
    begin += size;
  }
  return {};
}

}  // namespace

IntactBlobs::IntactBlobs(Blobs& blobs, BlockingPool& disk, Limits limits)
    : blobs_(blobs),
      disk_(disk),
      limits_(limits),
      checks_({.what = "checks of mounted blobs",
               .capacity = limits.checks,
               .fix = "mount fewer blobs at the same time"},
              blobs.parts().metrics, blobs.parts().clock, blobs.parts().log) {}

Awaitable<Result<bool>> IntactBlobs::Check(Holder holder, RepositoryName repository,
                                           Digest digest) {
  const Result<Shares::Holding> share = checks_.Take(holder);
  if (!share.has_value()) co_return false;
  const auto deadline = std::chrono::steady_clock::now() + limits_.max_wait;
  auto open = [this, repository, digest] { return blobs_.Open(repository, digest); };
  Result<Blobs::Opened> opened = co_await Blocking(disk_, holder, std::move(open));
  if (!opened.has_value()) {
    if (opened.error().code == ErrorCode::kBlobUnknown) co_return false;
    co_return std::move(opened).error();
  }
  const std::string& object = opened->blob.location.object;
  CheckedObjects::Checked checked = blobs_.checked_objects().Of(object);
  const uint64_t size_bytes = opened->blob.info.size_bytes;
  while (checked.size_bytes < size_bytes) {
    const uint64_t end = std::min(checked.size_bytes + kTurnBytes, size_bytes);
    auto read = [reader = opened->reader, begin = checked.size_bytes, end] {
      return ReadAll(*reader, begin, end);
    };
    const Result<void> done = co_await Blocking(disk_, holder, std::move(read));
    if (!done.has_value()) {
      if (done.error().code == ErrorCode::kTooManyRequests) co_return done.error();
      co_await Reject(*opened, done.error());
      co_return false;
    }
    checked.size_bytes = end;
    blobs_.checked_objects().Remember(object, checked);
    if (end < size_bytes && std::chrono::steady_clock::now() >= deadline) co_return false;
  }
  co_return true;
}

Awaitable<void> IntactBlobs::Reject(const Blobs::Opened& opened, Error why) {
  const BlobInfo& info = opened.blob.info;
  if (why.code == ErrorCode::kCorrupt) {
    co_await blobs_.QuarantineCorrupt(disk_, info.digest, opened.blob.location.object,
                                      std::move(why));
  } else {
    blobs_.parts().log.Error("blob not readable", {{"digest", info.digest.ToString()},
                                                   {"object", opened.blob.location.object},
                                                   {"error", why.message}});
  }
}

}  // namespace outport::store
