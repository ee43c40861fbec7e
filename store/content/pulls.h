#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "registry/service/pull_recorder.h"
#include "registry/storage/meta_store.h"

// The rows of the last pulls: pull/<repo>\0<tag or digest>. A row goes with its tag or manifest, in
// the same transaction. If the tag or manifest goes to the trash, so does the row, and an undo
// brings both back.
namespace outport::store {

// How much older than the last pull a time in a row may be, apart from the delay of a node's
// report. A PullRecorder reports a tag or digest once an hour, and WritePulls() writes a row once
// an hour. The hours of the store and of each node begin at different moments, so both may add up.
inline constexpr std::chrono::milliseconds kPullResolution = std::chrono::hours(2);

// Returns the latest time at which the last pull may have been, for decisions about what stays.
// `last_ms` is PullRow.last_ms; 0: no known pull, and the result is 0.
int64_t LatestPullMs(int64_t last_ms);

struct WrittenPulls {
  uint64_t rows = 0;     // written
  uint64_t unknown = 0;  // pulls whose tag or manifest no longer exists
};

// Writes the pulls into their rows. A row's time never goes back, and a row is written at most once
// for each hour. Replaces a corrupt row. Drops pulls of content that does not exist: a late report
// must not bring back the row of a deleted tag. `node` is the node whose client pulled; empty: the
// store. Writes some hundred rows in a transaction. After an error a part is written, and the
// caller may repeat everything. Blocks.
Result<WrittenPulls> WritePulls(MetaStore& meta, std::vector<Pull> pulls, const std::string& node,
                                MetaTransaction::Durability durability);

// Deletes the row, together with the tag or manifest, and returns it; nullopt if there is none, or
// if it is corrupt. The transaction locks the rows of one repository in this order: the tags in
// byte order, then the digests.
Result<std::optional<v1::PullRow>> TakePull(MetaTransaction& transaction,
                                            const RepositoryName& repository,
                                            std::string_view reference);
// Writes a row that TakePull() returned, together with the tag or manifest that comes back. A row
// with a newer pull stays; a corrupt row does not. The order of the locks is the same.
Result<void> RestorePull(MetaTransaction& transaction, const RepositoryName& repository,
                         std::string_view reference, const v1::PullRow& pull);

// Returns the last pull by exactly this tag or digest, or nullopt if there is none. PullSearch
// also looks at indexes. Blocks.
Result<std::optional<v1::PullRow>> FindPull(const MetaView& view, const RepositoryName& repository,
                                            const Reference& reference);

}  // namespace outport::store
