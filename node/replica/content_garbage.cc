#include "node/replica/content_garbage.h"

#include <algorithm>
#include <vector>

#include "registry/records/keys.h"

namespace outport::node {
namespace {

constexpr size_t kStep = 1000;
constexpr size_t kRound = 2000;

}  // namespace

Result<bool> ContentGarbage::Collect() {
  candidates_.clear();
  scanned_to_.clear();
  scanned_all_ = false;
  while (candidates_.size() < kRound) {
    // A scan also reads the values, which are large. So scan few rows at a time, although only the
    // keys are needed.
    const ScanRange range{.prefix = std::string(keys::kContents), .after = collected_, .limit = 4};
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& row : rows) candidates_.emplace(keys::After(row.key, keys::kContents));
    if (rows.empty()) break;
    collected_ = rows.back().key;
  }
  if (candidates_.empty()) collected_.clear();
  return !candidates_.empty();
}

Result<bool> ContentGarbage::Step(uint64_t generation) {
  if (generation != generation_) {
    generation_ = generation;
    scanned_to_.clear();
    scanned_all_ = false;
  }
  if (candidates_.empty()) return false;
  TRY_VOID(scanned_all_ ? Remove() : KeepReferenced());
  return true;
}

Result<void> ContentGarbage::KeepReferenced() {
  const ScanRange range{
      .prefix = keys::GenerationPrefix(generation_) + std::string(keys::kManifests),
      .after = scanned_to_,
      .limit = kStep};
  TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
  for (const KeyValue& row : rows) {
    candidates_.erase(row.key.substr(row.key.rfind(keys::kSeparator) + 1));
  }
  if (rows.size() < range.limit) scanned_all_ = true;
  if (!rows.empty()) scanned_to_ = rows.back().key;
  return {};
}

Result<void> ContentGarbage::Remove() {
  const auto transaction = meta_.Begin();
  const auto end =
      std::next(candidates_.begin(), static_cast<ptrdiff_t>(std::min(kStep, candidates_.size())));
  for (auto at = candidates_.begin(); at != end; ++at) {
    TRY_VOID(transaction->Delete(std::string(keys::kContents) + *at));
  }
  TRY_VOID(transaction->Commit(MetaTransaction::Durability::kBuffered));
  candidates_.erase(candidates_.begin(), end);
  return {};
}

}  // namespace outport::node
