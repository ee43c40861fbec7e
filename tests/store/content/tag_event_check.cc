#include "tests/store/content/tag_event_check.h"

#include <map>

#include "outport/v1/collection.pb.h"
#include "registry/records/rows.h"

namespace outport::store {
namespace {

constexpr size_t kAll = 1'000'000;

}  // namespace

std::vector<std::string> ProblemsOfTagEvents(const MetaStore& meta) {
  std::vector<std::string> problems;
  std::map<std::string, std::string> tags;  // "<repo>\0<tag>" and digest
  const auto rows = meta.Scan({.prefix = std::string(keys::kTags), .limit = kAll});
  for (const KeyValue& row : *rows) {
    tags[std::string(keys::After(row.key, keys::kTags))] =
        ParseRow<v1::TagRow>(row.key, row.value)->digest();
  }
  std::string last;    // the tag of the event before
  std::string wanted;  // the digest after this event
  const auto events = meta.Scan({.prefix = std::string(keys::kTagEvents), .limit = kAll});
  for (const KeyValue& row : *events) {
    const std::string_view rest = keys::After(row.key, keys::kTagEvents);
    const std::string name(rest.substr(0, rest.rfind(keys::kSeparator)));
    const auto event = *ParseRow<v1::TagEventRow>(row.key, row.value);
    if (name != last) {
      const auto tag = tags.find(name);
      wanted = tag == tags.end() ? "" : tag->second;
      if (tag != tags.end()) tags.erase(tag);
    }
    if (event.after() != wanted) {
      problems.push_back("tag events: " + Printable(row.key) + " ends at '" + event.after() +
                         "', not at '" + wanted + "'");
    }
    wanted = event.before();
    last = name;
  }
  for (const auto& [name, digest] : tags) {
    problems.push_back("tag events: " + Printable(name) + " has no event");
  }
  return problems;
}

}  // namespace outport::store
