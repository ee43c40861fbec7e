#include "store/content/tag_history_sweep.h"

#include <string_view>
#include <utility>

#include "outport/v1/collection.pb.h"
#include "registry/base/repeat.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kPage = 1000;
constexpr int kPagesPerTurn = 5;
constexpr std::chrono::seconds kTurnPeriod{1};
constexpr std::chrono::minutes kFirst{10};  // after the start
constexpr std::chrono::minutes kRetry{1};
constexpr std::chrono::hours kPeriod{24};

// The part of an event's key before the number.
std::string_view EventsPrefixOf(std::string_view key) {
  return key.substr(0, key.rfind(keys::kSeparator) + 1);
}

// tag/<repo>\0<tag> for tag-event/<repo>\0<tag>\0.
std::string TagKeyOf(std::string_view events_prefix) {
  std::string_view tag = keys::After(events_prefix, keys::kTagEvents);
  tag.remove_suffix(tag.empty() ? 0 : 1);
  return std::string(keys::kTags) + std::string(tag);
}

}  // namespace

TagHistorySweep::TagHistorySweep(Parts parts)
    : parts_(std::move(parts)),
      lease_(parts_.meta, parts_.clock, "tag-history", parts_.owner),
      failure_(
          {.log = parts_.log, .failed = "tag history sweep failed", .level = LogLevel::kWarning}),
      due_(std::chrono::steady_clock::now() + kFirst) {}

std::vector<TagHistorySweep::Old> TagHistorySweep::FindOld(
    const std::vector<KeyValue>& rows) const {
  const int64_t oldest_ms = parts_.clock.NowMs() - parts_.keep.count();
  std::vector<Old> old;
  std::string_view previous = EventsPrefixOf(after_);
  for (const KeyValue& row : rows) {
    const std::string_view prefix = EventsPrefixOf(row.key);
    const bool newest = prefix != previous;
    previous = prefix;
    const auto event = ParseRow<v1::TagEventRow>(row.key, row.value);
    if (!event.has_value() || event->time_ms() >= oldest_ms) continue;
    old.push_back({row.key, newest ? TagKeyOf(prefix) : std::string()});
  }
  return old;
}

// A push that changes a tag meanwhile adds a newer event, and this transaction does not delete it.
// So the transaction need not lock the tags.
Result<void> TagHistorySweep::Delete(const std::vector<Old>& old) {
  uint64_t deleted = 0;
  auto run = [&](MetaTransaction& transaction) -> Result<void> {
    deleted = 0;
    for (const Old& event : old) {
      bool keep = false;
      if (!event.tag_key.empty()) {
        TRY(keep, HasRow(transaction, event.tag_key));
      }
      if (keep) continue;
      TRY_VOID(transaction.Delete(event.key));
      ++deleted;
    }
    return lease_.Check(transaction);
  };
  TRY_VOID(Transact(parts_.meta, run));
  deleted_ += deleted;
  return {};
}

Result<bool> TagHistorySweep::Step() {
  if (parts_.clock.Jump().has_value()) return true;
  TRY(const bool mine, lease_.Acquire());
  if (!mine) {
    after_.clear();
    return true;
  }
  TRY(const std::vector<KeyValue> rows,
      parts_.meta.Scan({.prefix = std::string(keys::kTagEvents), .after = after_, .limit = kPage}));
  const std::vector<Old> old = FindOld(rows);
  if (!old.empty()) TRY_VOID(Delete(old));
  if (rows.size() == kPage) {
    after_ = rows.back().key;
    return false;
  }
  after_.clear();
  if (const uint64_t deleted = std::exchange(deleted_, 0); deleted > 0) {
    parts_.log.Info("old tag history deleted", {{"count", deleted}});
  }
  TRY_VOID(lease_.Release());
  return true;
}

void TagHistorySweep::Turn() {
  if (std::chrono::steady_clock::now() < due_) return;
  for (int page = 0; page < kPagesPerTurn; ++page) {
    const Result<bool> done = Step();
    failure_.Record(done.has_value() ? Result<void>() : Result<void>(done.error()));
    if (done.has_value() && !*done) continue;
    due_ = std::chrono::steady_clock::now();
    due_ += done.has_value() ? std::chrono::minutes(kPeriod) : kRetry;
    return;
  }
}

Awaitable<void> TagHistorySweep::RunUntilCancelled() {
  auto turn = [this] { Turn(); };
  co_await RepeatBlockingUntilCancelled(kTurnPeriod, parts_.pool, std::move(turn));
}

}  // namespace outport::store
