#include "store/content/space_ledger.h"

#include <algorithm>
#include <utility>

namespace outport::store {
namespace {

constexpr std::string_view kDisk = "the store's disk";

}  // namespace

SpaceLedger::Promise::Promise(Promise&& other) noexcept
    : ledger_(std::exchange(other.ledger_, nullptr)), bytes_(other.bytes_) {}

SpaceLedger::Promise::~Promise() {
  if (ledger_ == nullptr) return;
  MutexLock lock(ledger_->mutex_);
  ledger_->promised_bytes_ -= bytes_;
}

Result<DiskSpace> SpaceLedger::Measure() const {
  TRY(const uint64_t free_bytes, bytes_.FreeBytes());
  return DiskSpace{.free_bytes = free_bytes, .promised_bytes = promised_bytes_};
}

Result<void> SpaceLedger::Require(uint64_t needed_bytes) const {
  MutexLock lock(mutex_);
  TRY(const DiskSpace space, Measure());
  return RequireFreeSpace(space, kDisk, headroom_bytes_, needed_bytes);
}

Result<SpaceLedger::Promise> SpaceLedger::Take(const Wanted& wanted) {
  MutexLock lock(mutex_);
  TRY(const DiskSpace space, Measure());
  const Result<void> enough = RequireFreeSpace(space, kDisk, headroom_bytes_, wanted.at_least);
  if (!enough.has_value()) {
    const uint64_t needed = std::max(wanted.at_least, wanted.needed_bytes);
    TRY_VOID(RequireFreeSpace(space, kDisk, headroom_bytes_, needed));
    return enough.error();
  }
  const uint64_t usable = space.free_bytes - space.promised_bytes - headroom_bytes_;
  const uint64_t bytes = std::clamp(usable, wanted.at_least, wanted.at_most);
  promised_bytes_ += bytes;
  return Promise(*this, bytes);
}

}  // namespace outport::store
