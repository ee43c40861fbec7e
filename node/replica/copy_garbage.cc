#include "node/replica/copy_garbage.h"

#include <utility>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"

namespace outport::node {
namespace {

constexpr size_t kStep = 1000;
constexpr size_t kRound = 4000;
constexpr size_t kTaken = 100;  // removals of large files take time
// A row has the checksums of its blob, up to some 100 KiB.
constexpr size_t kRowsInScan = 256;
constexpr size_t kBytesInScan = 1 << 20;

}  // namespace

Result<bool> CopyGarbage::Collect() {
  candidates_.clear();
  scanned_to_.clear();
  scanned_all_ = false;
  while (candidates_.size() < kRound) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan({.prefix = std::string(keys::kCachedBlobs),
                                                      .after = collected_,
                                                      .limit = kRowsInScan,
                                                      .limit_bytes = kBytesInScan}));
    for (const KeyValue& row : rows) {
      v1::CachedRow copy;
      // The cache treats a row that cannot be parsed as no row, and overwrites it.
      if (!copy.ParseFromString(row.value)) continue;
      candidates_.emplace(keys::After(row.key, keys::kCachedBlobs), copy.object());
    }
    if (rows.empty()) break;
    collected_ = rows.back().key;
  }
  if (candidates_.empty()) collected_.clear();
  return !candidates_.empty();
}

Result<std::optional<std::vector<CopyName>>> CopyGarbage::Step(uint64_t generation) {
  if (generation != generation_) {
    generation_ = generation;
    scanned_to_.clear();
    scanned_all_ = false;
  }
  if (candidates_.empty()) return std::optional<std::vector<CopyName>>();
  std::vector<CopyName> unlinked;
  if (scanned_all_) {
    TRY(unlinked, TakeUnlinked());
  } else {
    TRY_VOID(KeepLinked());
  }
  return std::optional(std::move(unlinked));
}

Result<void> CopyGarbage::KeepLinked() {
  TRY(const std::vector<KeyValue> rows,
      meta_.Scan({.prefix = keys::GenerationPrefix(generation_) + std::string(keys::kLinks),
                  .after = scanned_to_,
                  .limit = kStep}));
  for (const KeyValue& row : rows) {
    candidates_.erase(row.key.substr(row.key.rfind(keys::kSeparator) + 1));
  }
  if (rows.size() < kStep) scanned_all_ = true;
  if (!rows.empty()) scanned_to_ = rows.back().key;
  return {};
}

Result<std::vector<CopyName>> CopyGarbage::TakeUnlinked() {
  std::vector<CopyName> taken;
  while (!candidates_.empty() && taken.size() < kTaken) {
    auto first = candidates_.extract(candidates_.begin());
    TRY(Digest digest, Digest::Parse(first.key()));
    taken.push_back({std::move(digest), std::move(first.mapped())});
  }
  return taken;
}

}  // namespace outport::node
