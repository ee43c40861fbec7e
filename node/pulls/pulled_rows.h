#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/node.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/service/pull_recorder.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// Keeps pulls in rows of the node's metadata until the store has acknowledged them: one row for
// each tag and digest, with the last pull. The rows survive a kill, but the newest may be lost in a
// power cut. For one thread at a time; every method blocks.
class PulledRows {
 public:
  static constexpr size_t kMaxRows = 200'000;

  // `meta` and `clock` outlive this object.
  PulledRows(MetaStore& meta, const Clock& clock, size_t max_rows = kMaxRows,
             std::string boot_id = BootId())
      : meta_(meta), clock_(clock), max_rows_(max_rows), boot_id_(std::move(boot_id)) {}

  // Writes the pulls. Their times are milliseconds since boot. If there are more than `max_rows`,
  // deletes the oldest tenth. Returns how many rows it has deleted. After an error, a part is
  // written, and the caller may repeat everything.
  Result<uint64_t> Add(const std::vector<Pull>& pulls);

  // Returns at most `limit` rows with keys after `after`.
  Result<std::vector<KeyValue>> List(const std::string& after, size_t limit) const;
  // Deletes the rows, except those that have changed since List().
  Result<void> Remove(const std::vector<KeyValue>& rows);

  // Returns how long ago the pull was. After a restart of the machine the wall clock decides, and a
  // time in its future has the age 0.
  int64_t AgeMs(const v1::PulledRow& row) const;

 private:
  Result<void> CountRows();
  Result<uint64_t> DropOldest();

  MetaStore& meta_;
  const Clock& clock_;
  const size_t max_rows_;
  const std::string boot_id_;
  std::optional<size_t> count_;  // rows; nullopt: unknown
};

}  // namespace outport::node
