#include "store/content/pulls.h"

#include <algorithm>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "registry/records/rows.h"

namespace outport::store {
namespace {

using Durability = MetaTransaction::Durability;

constexpr size_t kRowsInTransaction = 256;
constexpr int64_t kHourMs = 3'600'000;

bool IsDigest(const Reference& reference) { return std::holds_alternative<Digest>(reference); }

std::string KeyOf(const RepositoryName& repository, const Reference& reference) {
  if (const Tag* tag = std::get_if<Tag>(&reference)) return keys::TagOf(repository, *tag);
  return keys::ManifestOf(repository, std::get<Digest>(reference));
}

// Locks the row and reads it. A corrupt row counts as none, so that the caller replaces or deletes
// it. Otherwise one such row would fail every record of pulls, and every push of its manifest.
Result<std::optional<v1::PullRow>> LockPull(MetaTransaction& transaction, const std::string& key) {
  return NoneIfCorrupt(LockRow<v1::PullRow>(transaction, key));
}

// Locks the pull's row before it looks for the content. A deletion of the content locks the same
// row. So either this finds no content, or the deletion finds the row.
Result<void> WritePull(MetaTransaction& transaction, const Pull& pull, const std::string& node,
                       WrittenPulls& written) {
  const std::string key = keys::Pull(pull.repository, ToString(pull.reference));
  TRY(const auto old, LockPull(transaction, key));
  TRY(const bool exists, HasRow(transaction, KeyOf(pull.repository, pull.reference)));
  if (!exists) {
    ++written.unknown;
    return {};
  }
  if (old.has_value() && pull.time_ms / kHourMs <= old->last_ms() / kHourMs) return {};
  v1::PullRow row;
  row.set_last_ms(pull.time_ms);
  row.set_node(node);
  ++written.rows;
  return WriteRow(transaction, key, row);
}

Result<WrittenPulls> WriteSome(MetaStore& meta, std::span<const Pull> pulls,
                               const std::string& node, Durability durability) {
  WrittenPulls written;
  auto write = [&](MetaTransaction& transaction) -> Result<void> {
    written = {};
    // The collector does not work as long as pulls are missing.
    transaction.SetUrgency(MetaTransaction::Urgency::kMustPass);
    for (const Pull& pull : pulls) TRY_VOID(WritePull(transaction, pull, node, written));
    return {};
  };
  TRY_VOID(Transact(meta, write, durability));
  return written;
}

}  // namespace

int64_t LatestPullMs(int64_t last_ms) {
  return last_ms == 0 ? 0 : last_ms + kPullResolution.count();
}

// The order of the locks is that of TakePull(), so that no two transactions deadlock.
Result<WrittenPulls> WritePulls(MetaStore& meta, std::vector<Pull> pulls, const std::string& node,
                                Durability durability) {
  std::ranges::sort(pulls, {}, [](const Pull& pull) {
    return std::tuple(pull.repository.ToString(), IsDigest(pull.reference),
                      ToString(pull.reference));
  });
  WrittenPulls all;
  for (std::span<const Pull> left = pulls; !left.empty();) {
    const size_t count = std::min(left.size(), kRowsInTransaction);
    TRY(const WrittenPulls written, WriteSome(meta, left.first(count), node, durability));
    all.rows += written.rows;
    all.unknown += written.unknown;
    left = left.subspan(count);
  }
  return all;
}

Result<std::optional<v1::PullRow>> TakePull(MetaTransaction& transaction,
                                            const RepositoryName& repository,
                                            std::string_view reference) {
  const std::string key = keys::Pull(repository, reference);
  TRY(auto row, LockPull(transaction, key));
  TRY_VOID(transaction.Delete(key));
  return row;
}

Result<void> RestorePull(MetaTransaction& transaction, const RepositoryName& repository,
                         std::string_view reference, const v1::PullRow& pull) {
  const std::string key = keys::Pull(repository, reference);
  TRY(const auto now, LockPull(transaction, key));
  if (now.has_value() && now->last_ms() >= pull.last_ms()) return {};
  return WriteRow(transaction, key, pull);
}

Result<std::optional<v1::PullRow>> FindPull(const MetaView& view, const RepositoryName& repository,
                                            const Reference& reference) {
  return ReadRow<v1::PullRow>(view, keys::Pull(repository, ToString(reference)));
}

}  // namespace outport::store
