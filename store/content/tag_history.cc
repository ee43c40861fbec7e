#include "store/content/tag_history.h"

#include <algorithm>
#include <utility>

#include "registry/records/rows.h"
#include "store/content/repositories.h"

namespace outport::store {
namespace {

constexpr char kCursorSeparator = '/';  // no tag has it

std::string NameOf(const Actor& actor) {
  if (actor.kind == actor.name) return actor.kind;  // the store
  if (!actor.name.empty()) return actor.kind + " " + actor.name;
  if (!actor.certificate_name.empty()) return "certificate " + actor.certificate_name;
  return "anonymous";
}

// "v1/fffffffffffffffe" for the part "v1\0fffffffffffffffe" of a key.
std::string CursorOf(std::string_view key_part) {
  std::string cursor(key_part);
  std::ranges::replace(cursor, keys::kSeparator, kCursorSeparator);
  return cursor;
}

// The inverse of CursorOf().
Result<std::string> ParseCursor(const std::string& cursor) {
  const size_t slash = cursor.find(kCursorSeparator);
  if (slash != std::string::npos && Tag::Parse(cursor.substr(0, slash)).has_value() &&
      keys::ParseTimeText(cursor.substr(slash + 1)).has_value()) {
    std::string part = cursor;
    part[slash] = keys::kSeparator;
    return part;
  }
  return Error{ErrorCode::kPaginationInvalid,
               "'" + cursor.substr(0, 200) +
                   "' is not the end of a page of the history; use `next` of the page before"};
}

}  // namespace

Result<void> RecordTagEvent(MetaTransaction& transaction, const RepositoryName& repository,
                            const Tag& tag, const TagChange& change, const Actor& by) {
  TRY(const std::vector<KeyValue> newest,
      transaction.Scan({.prefix = keys::TagEventsOf(repository, tag), .limit = 1}));
  uint64_t number = 1;
  v1::TagEventRow event;
  event.set_time_ms(change.now_ms);
  if (!newest.empty()) {
    number = keys::TagEventNumber(newest.front().key).value_or(0) + 1;
    // The clock may have been read before the transaction waited for the tag's row.
    TRY(const auto last, ParseRow<v1::TagEventRow>(newest.front().key, newest.front().value));
    event.set_time_ms(std::max(change.now_ms, last.time_ms()));
  }
  event.set_before(change.before);
  event.set_after(change.after);
  event.set_by(NameOf(by));
  event.set_node(by.node);
  event.set_why(change.why);
  if (number > kMaxTagEvents) {
    TRY_VOID(transaction.Delete(keys::TagEvent(repository, tag, number - kMaxTagEvents)));
  }
  return WriteRow(transaction, keys::TagEvent(repository, tag, number), event);
}

Result<TagHistory::Page> TagHistory::List(const RepositoryName& repository,
                                          const std::optional<Tag>& tag, const std::string& after,
                                          size_t limit) const {
  const std::string all = keys::TagEventsOf(repository);
  ScanRange range{.prefix = tag.has_value() ? keys::TagEventsOf(repository, *tag) : all,
                  .limit = limit + 1};
  if (!after.empty()) {
    TRY(const std::string part, ParseCursor(after));
    range.after = all + part;
  }
  TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
  if (rows.empty() && after.empty()) TRY_VOID(RequireKnown(repository, tag));
  Page page;
  for (const KeyValue& row : rows) {
    if (page.events.size() == limit) break;
    const std::string_view part = keys::After(row.key, all);
    TRY(Tag of, Tag::Parse(part.substr(0, part.find(keys::kSeparator))));
    TRY(auto event, ParseRow<v1::TagEventRow>(row.key, row.value));
    page.events.push_back({std::move(of), std::move(event), CursorOf(part)});
  }
  if (rows.size() > limit) page.next = page.events.back().next;
  return page;
}

Result<void> TagHistory::RequireKnown(const RepositoryName& repository,
                                      const std::optional<Tag>& tag) const {
  TRY_VOID(RequireRepository(meta_, repository));
  if (!tag.has_value()) return {};
  TRY(const bool exists, HasRow(meta_, keys::TagOf(repository, *tag)));
  if (exists) return {};
  return Error{ErrorCode::kNotFound,
               "there is no tag " + tag->ToString() + " in " + repository.ToString() +
                   ", and its history is empty; 'outportctl tag history " + repository.ToString() +
                   "' lists all tags that have a history",
               {tag->ToString()}};
}

Result<std::vector<v1::TagEventRow>> TagHistory::Of(const RepositoryName& repository,
                                                    const Tag& tag) const {
  TRY(const std::vector<KeyValue> rows,
      meta_.Scan({.prefix = keys::TagEventsOf(repository, tag), .limit = kMaxTagEvents}));
  std::vector<v1::TagEventRow> events;
  for (const KeyValue& row : rows) {
    TRY(auto event, ParseRow<v1::TagEventRow>(row.key, row.value));
    events.push_back(std::move(event));
  }
  return events;
}

Result<bool> TagHistory::ChangedAfterDeletion(const RepositoryName& repository, const Tag& tag,
                                              int64_t deleted_ms) const {
  TRY(const std::vector<KeyValue> rows,
      meta_.Scan({.prefix = keys::TagEventsOf(repository, tag), .limit = 2}));
  if (rows.empty()) return false;
  TRY(const auto newest, ParseRow<v1::TagEventRow>(rows[0].key, rows[0].value));
  if (newest.time_ms() <= deleted_ms) return false;
  if (!newest.after().empty() || rows.size() == 1) return true;
  // RecordTagEvent() gives a deletion the time of the event before, if its own time is earlier.
  TRY(const auto before, ParseRow<v1::TagEventRow>(rows[1].key, rows[1].value));
  return before.time_ms() < newest.time_ms();
}

}  // namespace outport::store
