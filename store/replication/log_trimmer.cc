#include "store/replication/log_trimmer.h"

#include <algorithm>
#include <utility>

#include "registry/base/bytes.h"
#include "registry/base/repeat.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr std::chrono::minutes kPeriod{1};
constexpr size_t kPage = 1000;
constexpr size_t kPageBytes = 1 << 20;
// The bounds of one call of Trim(): 200,000 records, read twice and deleted once.
constexpr int kPagesAtOnce = 200;
// The bytes of a record's key and hash.
constexpr uint64_t kRecordOverhead = 47;
// The marks divide the maximum age into this many parts.
constexpr int kMarks = 128;
constexpr std::chrono::milliseconds kShortestMark{1000};

uint64_t SizeOf(const LogRecord& record) { return record.record.size() + kRecordOverhead; }

uint64_t KeptBytes(const v1::ChangeLogRow& row) {
  return row.measured_bytes() - row.trimmed_bytes();
}

// Deletes the first `count` marks.
void DeleteMarks(v1::ChangeLogRow& row, int count) {
  row.mutable_marks()->DeleteSubrange(0, count);
}

// Returns the number of marks that are at least as old as `time_ms`.
int CountMarksUntil(const v1::ChangeLogRow& row, int64_t time_ms) {
  const auto& marks = row.marks();
  const auto younger = std::ranges::find_if(
      marks, [time_ms](const v1::ChangeLogRow::Mark& mark) { return mark.time_ms() > time_ms; });
  return static_cast<int>(younger - marks.begin());
}

const NodePosition* SlowestOf(const std::vector<NodePosition>& positions) {
  const auto slowest = std::ranges::min_element(positions, {}, &NodePosition::needs_after);
  return slowest == positions.end() ? nullptr : &*slowest;
}

Error Missing(uint64_t sequence) {
  return Error{ErrorCode::kCorrupt,
               "trimming the change log: record " + std::to_string(sequence) + " is missing"};
}

}  // namespace

LogTrimmer::LogTrimmer(Parts parts)
    : parts_(std::move(parts)),
      lease_(parts_.meta, parts_.clock, "change-log", parts_.owner),
      failure_({.log = parts_.log,
                .failed = "change log not trimmed",
                .recovered = "change log trimmed again",
                .level = LogLevel::kWarning,
                .failures = &parts_.metrics.Counter("outport_store_change_log_trim_failures_total",
                                                    "Failed attempts to trim the change log.")}),
      records_(parts_.metrics.Gauge("outport_store_change_log_records",
                                    "Records that the change log keeps.")),
      bytes_(parts_.metrics.Gauge("outport_store_change_log_bytes",
                                  "Bytes of the records that the change log keeps.")),
      trimmed_(parts_.metrics.Counter("outport_store_change_log_trimmed_total",
                                      "Records that were trimmed from the change log.")) {}

net::awaitable<void> LogTrimmer::FollowUntilCancelled() {
  auto trim = [this] { failure_.Record(Trim()); };
  co_await RepeatBlockingUntilCancelled(kPeriod, parts_.pool, std::move(trim));
}

Result<LogTrimmer::Round> LogTrimmer::Look() const {
  Round round;
  TRY(const LogPosition head, parts_.meta.Head());
  round.head = head.sequence;
  TRY(auto row, ReadRow<v1::ChangeLogRow>(parts_.meta, keys::kChangeLog));
  if (row.has_value()) round.row = *std::move(row);
  TRY(round.positions, ReadNodePositions(parts_.meta, parts_.nodes));
  return round;
}

// Reads the row only after it holds the lease, so that no other process changes the row meanwhile.
// If nothing is to be done, it does not acquire the lease, because that writes a row.
Result<void> LogTrimmer::Trim() {
  TRY(Round round, Look());
  SetGauges(round);
  const bool noted = std::ranges::all_of(round.positions, [](const NodePosition& position) {
    return position.is_noted || position.acknowledged == 0;
  });
  if (noted && round.row.measured_sequence() >= round.head && !MarkIsDue(round.row) &&
      TrimTarget(round) <= round.row.trimmed_sequence() &&
      KeptBytes(round.row) <= parts_.bounds.max_size_bytes) {
    return {};
  }
  TRY(const bool mine, lease_.Acquire());
  if (!mine) return {};
  TRY(round, Look());
  TRY_VOID(NotePositions(round));
  TRY_VOID(Measure(round));
  const uint64_t trimmed_before = round.row.trimmed_sequence();
  bool more = true;
  for (int page = 0; more && page < kPagesAtOnce; ++page) {
    TRY(more, TrimBatch(round));
  }
  LogPassedNodes(round, trimmed_before);
  SetGauges(round);
  return {};
}

// A power cut may undo this. Then the rows name older positions, and the log keeps more.
Result<void> LogTrimmer::NotePositions(const Round& round) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(NoteNodePositions(*transaction, round.positions));
  TRY_VOID(lease_.Check(*transaction));
  TRY_VOID(transaction->Commit(MetaTransaction::Durability::kBuffered));
  return {};
}

Result<void> LogTrimmer::Measure(Round& round) {
  v1::ChangeLogRow& row = round.row;
  const uint64_t measured_before = row.measured_sequence();
  for (int page = 0; row.measured_sequence() < round.head && page < kPagesAtOnce; ++page) {
    const uint64_t next = row.measured_sequence() + 1;
    TRY(const auto records, parts_.meta.ReadLog(next, kPage, kPageBytes));
    if (records.empty() || records.front().position.sequence != next) return Missing(next);
    for (const LogRecord& record : records) {
      row.set_measured_bytes(row.measured_bytes() + SizeOf(record));
    }
    row.set_measured_sequence(records.back().position.sequence);
  }
  const bool mark = MarkIsDue(row);
  if (mark) AddMark(round);
  if (!mark && row.measured_sequence() == measured_before) return {};
  return Write(row, 0, 0);
}

// A mark is due if there are records after the last mark, and the last mark is old enough.
bool LogTrimmer::MarkIsDue(const v1::ChangeLogRow& row) const {
  const int64_t period_ms = std::max(parts_.bounds.max_age / kMarks, kShortestMark).count();
  if (row.marks().empty()) return row.measured_sequence() > row.trimmed_sequence();
  const v1::ChangeLogRow::Mark& last = *row.marks().rbegin();
  return last.sequence() < row.measured_sequence() &&
         parts_.clock.NowMs() - last.time_ms() >= period_ms;
}

// Deletes older marks that no longer matter: of those beyond the maximum age, the newest says all.
// So the number of marks is bounded, even if the minimum number of records covers years.
void LogTrimmer::AddMark(Round& round) const {
  const int64_t now_ms = parts_.clock.NowMs();
  const int old = CountMarksUntil(round.row, now_ms - parts_.bounds.max_age.count());
  if (old > 1) DeleteMarks(round.row, old - 1);
  v1::ChangeLogRow::Mark& mark = *round.row.add_marks();
  mark.set_sequence(round.row.measured_sequence());
  mark.set_time_ms(now_ms);
}

uint64_t LogTrimmer::TrimTarget(const Round& round) const {
  if (round.head <= parts_.bounds.min_records) return 0;
  uint64_t target = round.head;
  for (const NodePosition& position : round.positions) {
    // A node behind the trimmed position cannot continue from the log.
    if (position.needs_after < round.row.trimmed_sequence()) continue;
    target = std::min(target, position.needs_after);
  }
  const int64_t oldest_ms = parts_.clock.NowMs() - parts_.bounds.max_age.count();
  if (const int old = CountMarksUntil(round.row, oldest_ms); old > 0) {
    target = std::max(target, round.row.marks(old - 1).sequence());
  }
  return std::min(target, round.head - parts_.bounds.min_records);
}

// Deletes only measured records, so that the two sums of bytes remain comparable.
Result<bool> LogTrimmer::TrimBatch(Round& round) {
  v1::ChangeLogRow& row = round.row;
  const uint64_t target = TrimTarget(round);
  const uint64_t first = row.trimmed_sequence() + 1;
  const bool too_large = KeptBytes(row) > parts_.bounds.max_size_bytes;
  if (first > target && !too_large) return false;
  TRY(const bool mine, lease_.Acquire());  // renews the lease
  if (!mine) return false;
  TRY(const auto records, parts_.meta.ReadLog(first, kPage, kPageBytes));
  if (records.empty() || records.front().position.sequence != first) return Missing(first);
  const uint64_t last_allowed = std::min(row.measured_sequence(), round.head - 1);
  for (const LogRecord& record : records) {
    const uint64_t sequence = record.position.sequence;
    if (sequence > last_allowed) break;
    if (sequence > target && KeptBytes(row) <= parts_.bounds.max_size_bytes) break;
    row.set_trimmed_sequence(sequence);
    row.set_trimmed_hash(std::string(AsText(record.position.hash)));
    row.set_trimmed_bytes(row.trimmed_bytes() + SizeOf(record));
  }
  const uint64_t last = row.trimmed_sequence();
  if (last < first) return false;
  const auto kept = std::ranges::find_if(
      row.marks(), [last](const v1::ChangeLogRow::Mark& mark) { return mark.sequence() > last; });
  DeleteMarks(row, static_cast<int>(kept - row.marks().begin()));
  TRY_VOID(Write(row, first, last));
  trimmed_.Increment(static_cast<double>(last - first + 1));
  return true;
}

// Writes the row and deletes the records from `trim_first` to `trim_last`; 0: none.
Result<void> LogTrimmer::Write(const v1::ChangeLogRow& row, uint64_t trim_first,
                               uint64_t trim_last) {
  const std::unique_ptr<MetaTransaction> transaction = parts_.meta.Begin();
  TRY_VOID(WriteRow(*transaction, keys::kChangeLog, row));
  if (trim_first > 0) TRY_VOID(transaction->TrimChanges(trim_first, trim_last));
  TRY_VOID(lease_.Check(*transaction));
  TRY_VOID(transaction->Commit(MetaTransaction::Durability::kBuffered));
  return {};
}

void LogTrimmer::LogPassedNodes(const Round& round, uint64_t trimmed_before) const {
  const uint64_t trimmed = round.row.trimmed_sequence();
  if (trimmed == trimmed_before) return;
  parts_.log.Debug("change log trimmed", {{"first", trimmed + 1}, {"head", round.head}});
  for (const NodePosition& position : round.positions) {
    if (position.needs_after < trimmed_before || position.needs_after >= trimmed) continue;
    parts_.log.Warning(
        "change log trimmed past a node: the node needs a snapshot",
        {{"node", position.node}, {"sequence", position.needs_after}, {"first", trimmed + 1}});
  }
}

void LogTrimmer::SetGauges(const Round& round) {
  records_.Set(static_cast<double>(round.head - round.row.trimmed_sequence()));
  bytes_.Set(static_cast<double>(KeptBytes(round.row)));
}

Result<v1::ChangeLogInfo> LogTrimmer::Describe() const {
  TRY(const Round round, Look());
  v1::ChangeLogInfo info;
  info.set_first_sequence(round.row.trimmed_sequence() + 1);
  info.set_records(round.head - round.row.trimmed_sequence());
  info.set_bytes(KeptBytes(round.row));
  if (const NodePosition* slowest = SlowestOf(round.positions)) {
    info.set_slowest_node(slowest->node);
    info.set_slowest_sequence(slowest->needs_after);
    info.set_slowest_connected(slowest->connected);
  }
  return info;
}

}  // namespace outport::store
