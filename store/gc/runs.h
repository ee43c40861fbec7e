#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// The rows of the collector's runs. Safe for several threads; every method blocks.
class Runs {
 public:
  // `meta` outlives this object.
  explicit Runs(MetaStore& meta) : meta_(meta) {}

  // The most runs without trash that stay in the list.
  static constexpr size_t kMaxRuns = 1000;

  // kInvalidArgument if the text is no id of a run, kNotFound if there is no such run.
  Result<v1::RunRow> Get(const std::string& id) const;
  // Returns all runs, from the oldest to the newest.
  Result<std::vector<v1::RunRow>> All() const;
  struct Page {
    std::vector<v1::RunRow> runs;
    std::string next;  // `before` of the next page; empty: no more
  };
  // Returns at most `limit` runs, from the newest to the oldest. If `before` is not empty, returns
  // only runs whose ids are smaller.
  Result<Page> List(const std::string& before, size_t limit) const;

  // Counts what clients deleted in each hour that is over. Deletions by clients do not write the
  // row of their run, because all clients would wait for that row.
  Result<void> CountDeletionsByClients(int64_t now_ms);
  // Returns the run as administrators see it. While the hour of a run of deletions by clients
  // lasts, its state is RUNNING. Until the run is counted, it shows what is removed so far, of
  // which at most kMaxCounted rows of the trash are counted.
  static constexpr size_t kMaxCounted = 10'000;
  Result<v1::RunRow> Shown(v1::RunRow run, int64_t now_ms) const;
  // Counts the blobs in the trash of a run. Reads at most `limit` rows.
  Result<v1::RunCounts> CountBlobs(const std::string& run, size_t limit) const;

  // Deletes the oldest runs that have no trash, so that kMaxRuns of them remain.
  Result<void> Prune();

 private:
  Result<v1::RunCounts> CountTrash(const std::string& prefix, size_t limit) const;

  MetaStore& meta_;
};

// Whether a run or an undo of this row is in progress, so that its trash is not freed.
bool IsInProgress(const v1::RunRow& run);
// Adds `count` to `sum`.
void Add(v1::RunCounts& sum, const v1::RunCounts& count);

}  // namespace outport::store
