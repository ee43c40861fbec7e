#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

// The history of a tag keeps this many events. A new event deletes the oldest one.
inline constexpr uint64_t kMaxTagEvents = 100;

// One change of a tag. The two digests differ. A digest is empty if the tag did not exist before,
// or does not exist after the change.
struct TagChange {
  std::string before;
  std::string after;
  std::string why = {};  // TagEventRow.why
  int64_t now_ms = 0;    // by the store clock
};

// Adds the change to the history of the tag. Reads one row and writes at most two, whatever the
// length of the history. REQUIRES: the transaction has locked the tag's row.
Result<void> RecordTagEvent(MetaTransaction& transaction, const RepositoryName& repository,
                            const Tag& tag, const TagChange& change, const Actor& by);

// Reads the history of tags. Tags that were deleted have a history, too. A value type; safe for
// several threads; every method blocks.
class TagHistory {
 public:
  // `meta` outlives this object.
  explicit TagHistory(const MetaView& meta) : meta_(meta) {}

  struct Event {
    Tag tag;
    v1::TagEventRow row;
    std::string next;  // `after` of a page that continues behind this event
  };
  struct Page {
    std::vector<Event> events;
    std::string next;  // `after` of the next page; empty: no more
  };
  // Returns at most `limit` events of one tag, or of all tags in byte order of their names. The
  // events of a tag are ordered from the newest to the oldest. `after` is the `next` of the page
  // before, or empty. kNameUnknown if the repository does not exist, kNotFound if neither the tag
  // nor any event of it exists, kPaginationInvalid if `after` is not a `next`.
  Result<Page> List(const RepositoryName& repository, const std::optional<Tag>& tag,
                    const std::string& after, size_t limit) const;

  // Returns all events of a tag, from the newest to the oldest: at most kMaxTagEvents.
  Result<std::vector<v1::TagEventRow>> Of(const RepositoryName& repository, const Tag& tag) const;

  // Returns whether somebody set the tag again after its deletion at `deleted_ms`, also if the tag
  // was deleted once more. False if the history has no events.
  Result<bool> ChangedAfterDeletion(const RepositoryName& repository, const Tag& tag,
                                    int64_t deleted_ms) const;

 private:
  Result<void> RequireKnown(const RepositoryName& repository, const std::optional<Tag>& tag) const;

  const MetaView& meta_;
};

}  // namespace outport::store
