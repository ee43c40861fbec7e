#include "store/content/tag_restore.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/records/rows.h"
#include "store/audit/row_json.h"
#include "store/content/repositories.h"
#include "store/content/tag_history.h"
#include "store/content/tag_rules.h"

namespace outport::store {
namespace {

constexpr size_t kMaxShown = 10;  // digests that an error names
// How far the clock of an administrator's machine may be ahead, for a time such as "1s ago".
constexpr int64_t kMaxAheadMs = 60'000;

std::string TimeOf(int64_t time_ms) { return FormatTime(FromUnixMillis(time_ms)); }

// The past of one tag, and the choice from it.
class Past {
 public:
  Past(std::string name, std::vector<v1::TagEventRow> events)
      : name_(std::move(name)), events_(std::move(events)) {}

  Result<std::string> Find(TagRestore::BeforeLastChange) const;
  Result<std::string> Find(TagRestore::At at) const;
  Result<std::string> Find(const Digest& digest) const;

 private:
  Error NotThere(const std::string& why) const;

  const std::string name_;
  const std::vector<v1::TagEventRow> events_;  // newest first; at least one
};

Error Past::NotThere(const std::string& why) const {
  std::set<std::string> seen;
  std::vector<std::string> digests;
  for (const v1::TagEventRow& event : events_) {
    for (const std::string& digest : {event.after(), event.before()}) {
      if (!digest.empty() && seen.insert(digest).second) digests.push_back(digest);
    }
  }
  std::string has;
  for (size_t i = 0; i < std::min(digests.size(), kMaxShown); ++i) {
    has += (i == 0 ? "" : ", ") + digests[i];
  }
  if (digests.size() > kMaxShown) has += ", …";
  return Error{ErrorCode::kNotFound, "cannot restore tag " + name_ + ": " + why +
                                         "; its history, from " + TimeOf(events_.back().time_ms()) +
                                         " on, has " + has};
}

Result<std::string> Past::Find(TagRestore::BeforeLastChange) const {
  const v1::TagEventRow& last = events_.front();
  if (!last.before().empty()) return last.before();
  return NotThere("it did not exist before its last change, at " + TimeOf(last.time_ms()));
}

Result<std::string> Past::Find(TagRestore::At at) const {
  const auto event = std::ranges::find_if(
      events_, [&](const v1::TagEventRow& row) { return row.time_ms() <= at.time_ms; });
  if (event == events_.end()) {
    return NotThere(TimeOf(at.time_ms) + " is before its oldest known change");
  }
  if (!event->after().empty()) return event->after();
  return NotThere("it did not exist at " + TimeOf(at.time_ms) + ": it was deleted at " +
                  TimeOf(event->time_ms()));
}

Result<std::string> Past::Find(const Digest& digest) const {
  std::string text = digest.ToString();
  const bool had = std::ranges::any_of(events_, [&](const v1::TagEventRow& row) {
    return row.before() == text || row.after() == text;
  });
  if (had) return text;
  return NotThere("it never was " + text);
}

Error Protected(const std::string& name, const v1::TagRuleRow& rule) {
  return Error{ErrorCode::kDenied,
               "cannot restore tag " + name + ": the rule '" + rule.name() + "' (repositories " +
                   rule.repositories() + ", tags " + rule.tags() +
                   ") protects it, so no restore moves it; remove the rule with 'outportctl tag "
                   "unprotect " +
                   rule.name() + "', restore the tag, and set the rule again"};
}

Result<void> RequirePast(const TagRestore::To& to, int64_t now_ms) {
  const auto* at = std::get_if<TagRestore::At>(&to);
  if (at == nullptr || at->time_ms <= now_ms + kMaxAheadMs) return {};
  return Error{ErrorCode::kInvalidArgument,
               TimeOf(at->time_ms) + " is in the future; the store's time is " + TimeOf(now_ms)};
}

}  // namespace

Result<TagRestore::Restored> TagRestore::Run(const RepositoryName& repository, const Tag& tag,
                                             const To& to, const Actor& by) const {
  TRY_VOID(RequirePast(to, parts_.store_clock.NowMs()));
  const std::string name = repository.ToString() + ":" + tag.ToString();
  TRY(std::vector<v1::TagEventRow> events, TagHistory(parts_.meta).Of(repository, tag));
  if (events.empty()) {
    TRY_VOID(RequireRepository(parts_.meta, repository));
    return Error{ErrorCode::kNotFound,
                 "cannot restore tag " + name + ": its history is empty; 'outportctl tag history " +
                     repository.ToString() + "' lists all tags that have a history"};
  }
  const Past past(name, std::move(events));
  TRY(const std::string text, std::visit([&](const auto& t) { return past.Find(t); }, to));
  TRY(Digest digest, Digest::Parse(text));
  const std::string key = keys::TagOf(repository, tag);
  TRY(auto current, ReadRow<v1::TagRow>(parts_.meta, key));
  // The push refuses this, too, but only after the manifest's children have come back.
  if (current.has_value() && current->digest() != text) {
    TRY(const auto protection, TagProtection::Read(parts_.meta, repository));
    if (const v1::TagRuleRow* rule = protection.Find(tag)) return Protected(name, *rule);
  }
  auto record = [&](MetaTransaction& transaction, const Auditor& auditor) -> Result<void> {
    TRY(current, ReadRow<v1::TagRow>(transaction, key));
    auditor.Add(transaction, "tag.restore", name, RowJson(current), {{"digest", text}});
    return {};
  };
  const ManifestRestore::Target target{
      .repository = repository, .digest = digest, .tags = {tag}, .why = "restore", .also = record};
  Result<LogPosition> position = ManifestRestore(parts_).Run(target, by);
  if (!position.has_value() && position.error().code == ErrorCode::kManifestUnknown) {
    return Error{ErrorCode::kFailedPrecondition,
                 "cannot restore tag " + name + ": manifest " + text +
                     " is gone, also from the trash; push the image again",
                 {text}};
  }
  if (!position.has_value()) return std::move(position).error();
  return Restored{std::move(digest), current.has_value() ? current->digest() : std::string(),
                  position->sequence};
}

}  // namespace outport::store
