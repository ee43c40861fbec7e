#include "store/content/intact_blobs.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace outport::store {
namespace {

constexpr std::chrono::hours kTrustedFor{24};
constexpr size_t kRemembered = 20'000;
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
    : blobs_(blobs), disk_(disk), limits_(limits), slots_(limits.checks), checked_(kRemembered) {}

IntactBlobs::Checked IntactBlobs::CheckedOf(const std::string& object) {
  const Time now = blobs_.parts().clock.SinceBoot();
  MutexLock lock(mutex_);
  const Checked* checked = checked_.Find(object);
  if (checked == nullptr || now - checked->begun > kTrustedFor) return {0, now};
  return *checked;
}

void IntactBlobs::Remember(const std::string& object, const Checked& checked) {
  MutexLock lock(mutex_);
  checked_.At(object) = checked;
}

Awaitable<Result<bool>> IntactBlobs::Check(RepositoryName repository, Digest digest) {
  const std::optional<Slots::Slot> slot = slots_.Acquire();
  if (!slot.has_value()) co_return false;
  const auto deadline = std::chrono::steady_clock::now() + limits_.max_wait;
  auto open = [this, repository, digest] { return blobs_.Open(repository, digest); };
  Result<Blobs::Opened> opened = co_await Blocking(disk_, std::move(open));
  if (!opened.has_value()) {
    if (opened.error().code == ErrorCode::kBlobUnknown) co_return false;
    co_return std::move(opened).error();
  }
  const std::string& object = opened->blob.location.object;
  Checked checked = CheckedOf(object);
  const uint64_t size_bytes = opened->blob.info.size_bytes;
  while (checked.size_bytes < size_bytes) {
    const uint64_t end = std::min(checked.size_bytes + kTurnBytes, size_bytes);
    auto read = [reader = opened->reader, begin = checked.size_bytes, end] {
      return ReadAll(*reader, begin, end);
    };
    const Result<void> done = co_await Blocking(disk_, std::move(read));
    if (!done.has_value()) {
      if (done.error().code != ErrorCode::kCorrupt) co_return done.error();
      co_await blobs_.QuarantineCorrupt(disk_, digest, object, done.error());
      co_return false;
    }
    checked.size_bytes = end;
    Remember(object, checked);
    if (end < size_bytes && std::chrono::steady_clock::now() >= deadline) co_return false;
  }
  co_return true;
}

}  // namespace outport::store
