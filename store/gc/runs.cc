#include "store/gc/runs.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/trash.h"

namespace outport::store {
namespace {

constexpr size_t kRunsPerScan = 1000;
constexpr size_t kTimeDigits = 16;
constexpr size_t kIdBytes = 25;  // 16 digits, '-', 8 digits

bool IsRunId(const std::string& id) {
  if (id.size() != kIdBytes || id[kTimeDigits] != '-') return false;
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return std::ranges::count_if(id, is_hex) == static_cast<ptrdiff_t>(kIdBytes - 1);
}

}  // namespace

Result<v1::RunRow> Runs::Get(const std::string& id) const {
  if (!IsRunId(id)) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + id + "' is not the id of a run; 'outportctl gc history' lists the ids"};
  }
  TRY(auto row, ReadRow<v1::RunRow>(meta_, keys::Run(id)));
  if (!row.has_value()) {
    return Error{ErrorCode::kNotFound,
                 "there is no run " + id + "; 'outportctl gc history' lists the runs"};
  }
  return *std::move(row);
}

Result<std::vector<v1::RunRow>> Runs::All() const {
  std::vector<v1::RunRow> runs;
  for (ScanRange range{.prefix = std::string(keys::kRuns), .limit = kRunsPerScan};;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(v1::RunRow run, ParseRow<v1::RunRow>(row.key, row.value));
      runs.push_back(std::move(run));
    }
    if (rows.size() < range.limit) return runs;
    range.after = rows.back().key;
  }
}

Result<Runs::Page> Runs::List(const std::string& before, size_t limit) const {
  TRY(const std::vector<v1::RunRow> all, All());
  Page page;
  for (const v1::RunRow& run : std::views::reverse(all)) {
    if (!before.empty() && run.id() >= before) continue;
    if (page.runs.size() == limit) {
      page.next = page.runs.back().id();
      break;
    }
    page.runs.push_back(run);
  }
  return page;
}

// Counts the rows of the trash that have this prefix, at most `limit` of them.
Result<v1::RunCounts> Runs::CountTrash(const std::string& prefix, size_t limit) const {
  v1::RunCounts counts;
  for (ScanRange range{.prefix = prefix, .limit = std::min(kRunsPerScan, limit)};;) {
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const auto trash, ParseRow<v1::TrashRow>(row.key, row.value));
      v1::RunCounts one;
      one.set_manifests(trash.has_manifest() ? 1 : 0);
      one.set_tags(trash.has_tag() ? 1 : 0);
      one.set_links(trash.has_link() ? 1 : 0);
      one.set_blobs(trash.has_blob() ? 1 : 0);
      one.set_blob_bytes(trash.blob().size_bytes());
      Add(counts, one);
    }
    limit -= rows.size();
    if (rows.size() < range.limit || limit == 0) return counts;
    range.limit = std::min(kRunsPerScan, limit);
    range.after = rows.back().key;
  }
}

Result<void> Runs::CountDeletionsByClients(int64_t now_ms) {
  TRY(const std::vector<v1::RunRow> all, All());
  for (const v1::RunRow& run : all) {
    const bool counted = run.has_removed() || run.ended_ms() > now_ms;
    if (run.kind() != v1::RUN_KIND_CLIENTS || counted) continue;
    TRY(const v1::RunCounts counts, CountTrash(keys::TrashOf(run.id()), SIZE_MAX));
    TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) -> Result<void> {
      TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(run.id())));
      if (!row.has_value() || row->has_removed()) return {};
      *row->mutable_removed() = counts;
      // This content is no longer in the trash: on a full disk it is freed within the hour.
      Add(*row->mutable_removed(), row->freed());
      Add(*row->mutable_removed(), row->restored());
      return WriteRow(transaction, keys::Run(run.id()), *row);
    }));
  }
  return {};
}

Result<v1::RunRow> Runs::Shown(v1::RunRow run, int64_t now_ms) const {
  if (run.kind() != v1::RUN_KIND_CLIENTS) return run;
  if (run.state() == v1::RUN_STATE_DONE && run.ended_ms() > now_ms) {
    run.set_state(v1::RUN_STATE_RUNNING);
  }
  if (run.has_removed()) return run;
  TRY(const v1::RunCounts counts, CountTrash(keys::TrashOf(run.id()), kMaxCounted));
  Add(*run.mutable_removed(), counts);
  Add(*run.mutable_removed(), run.freed());
  Add(*run.mutable_removed(), run.restored());
  return run;
}

Result<v1::RunCounts> Runs::CountBlobs(const std::string& run, size_t limit) const {
  return CountTrash(keys::TrashOf(run, trash_kind::kBlob), limit);
}

Result<void> Runs::Prune() {
  TRY(const std::vector<v1::RunRow> all, All());
  if (all.size() <= kMaxRuns) return {};
  std::vector<std::string> empty;  // from the oldest to the newest
  for (const v1::RunRow& run : all) {
    const bool in_progress =
        run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_UNDOING;
    if (in_progress) continue;
    TRY(const auto trash, meta_.Scan({.prefix = keys::TrashOf(run.id()), .limit = 1}));
    if (trash.empty()) empty.push_back(run.id());
  }
  if (empty.size() <= kMaxRuns) return {};
  empty.resize(empty.size() - kMaxRuns);
  TRY_VOID(Transact(meta_, [&](MetaTransaction& transaction) -> Result<void> {
    for (const std::string& id : empty) TRY_VOID(transaction.Delete(keys::Run(id)));
    return {};
  }));
  return {};
}

bool IsInProgress(const v1::RunRow& run) {
  return run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_UNDOING;
}

void Add(v1::RunCounts& sum, const v1::RunCounts& count) {
  sum.set_tags(sum.tags() + count.tags());
  sum.set_manifests(sum.manifests() + count.manifests());
  sum.set_links(sum.links() + count.links());
  sum.set_blobs(sum.blobs() + count.blobs());
  sum.set_blob_bytes(sum.blob_bytes() + count.blob_bytes());
}

}  // namespace outport::store
