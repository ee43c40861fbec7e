#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <set>
#include <string>
#include <vector>

#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/content.grpc.pb.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"

namespace outport::control {
namespace {

using Stub = v1::Content::Stub;

// The argument REPO[:TAG].
struct TagName {
  std::string repository;
  std::string tag = {};  // empty: none

  std::string ToString() const { return tag.empty() ? repository : repository + ":" + tag; }
};

Result<TagName> ParseTagName(const std::string& text) {
  const size_t colon = text.rfind(':');
  TagName name{.repository = text.substr(0, colon)};
  TRY_VOID(RepositoryName::Parse(name.repository));
  if (colon == std::string::npos) return name;
  name.tag = text.substr(colon + 1);
  TRY_VOID(Tag::Parse(name.tag));
  return name;
}

// --- tag history

struct History {
  std::string name;
  uint32_t limit = 100;
};

Result<std::vector<v1::TagEvent>> ReadHistory(StoreClient& client, const TagName& name,
                                              uint32_t limit) {
  std::vector<v1::TagEvent> events;
  v1::ListTagHistoryRequest request;
  request.set_repository(name.repository);
  request.set_tag(name.tag);
  while (events.size() < limit) {
    request.set_limit(limit - static_cast<uint32_t>(events.size()));
    v1::ListTagHistoryResponse response;
    TRY_VOID(client.Call(&Stub::ListTagHistory, request, response,
                         "reading the history of " + name.ToString()));
    events.insert(events.end(), response.events().begin(), response.events().end());
    if (response.next().empty()) break;
    request.set_after(response.next());
  }
  return events;
}

Result<void> ShowHistory(const Invocation& invocation, const History& options) {
  TRY(const TagName name, ParseTagName(options.name));
  TRY(StoreClient client, invocation.Connect());
  TRY(const std::vector<v1::TagEvent> events, ReadHistory(client, name, options.limit));
  const bool whole = invocation.json();
  const auto shown = [whole](const std::string& digest) {
    return boost::json::value(whole ? digest : ShortDigest(digest));
  };
  Table table({"time", "tag", "before", "after", "by", "node", "why", "restorable"});
  for (const v1::TagEvent& event : events) {
    const v1::TagEventRow& row = event.row();
    table.Add({boost::json::value(ToTime(row.time_ms())), boost::json::value(event.tag()),
               shown(row.before()), shown(row.after()), boost::json::value(row.by()),
               boost::json::value(row.node()), boost::json::value(row.why()),
               boost::json::value(event.restorable())});
  }
  invocation.Print(table);
  return {};
}

void AddHistory(const Command& family) {
  auto options = std::make_shared<History>();  // shared with the callback
  const Command history = family.AddCommand(
      "history",
      "Show who set, moved and deleted a tag, when, and from which node; newest first. For a "
      "whole\n"
      "repository, tag by tag, with the tags that were deleted. An empty AFTER is a deletion.\n"
      "RESTORABLE says whether 'tag restore --to' can bring back the content of AFTER; in the row "
      "of "
      "a\n"
      "deletion, of BEFORE.\n"
      "  outportctl tag history team/app:latest\n"
      "  outportctl tag history team/app --limit 1000 -o json");
  history.AddOption("NAME", options->name, "REPO, or one tag: REPO:TAG").Required().NotEmpty();
  history.AddOption("--limit", options->limit, "Maximum number of entries")
      .Between(1, 1000000)
      .ShowDefault();
  history.Run(options, ShowHistory);
}

// --- tag restore

struct Restore {
  std::string name;
  std::string to;
  std::string at;
};

// The start of a digest, as 'tag history' shows it: an algorithm and at least 12 of the hex digits.
bool IsShortDigest(const std::string& text) {
  constexpr size_t kLeastHexDigits = 12;
  const size_t colon = text.find(':');
  if (colon == std::string::npos || text.size() - colon - 1 < kLeastHexDigits) return false;
  return ParseDigestAlgorithm(text.substr(0, colon)).has_value() &&
         text.find_first_not_of("0123456789abcdef", colon + 1) == std::string::npos;
}

// Returns the digest of the tag's history that `text` names: the whole digest, or its start.
Result<std::string> FindDigest(StoreClient& client, const TagName& name, const std::string& text) {
  constexpr uint32_t kMaxEvents = 1000;  // more than any tag has
  const Result<Digest> whole = Digest::Parse(text);
  if (whole.has_value()) return text;
  if (!IsShortDigest(text)) {
    return Error(whole.error())
        .Within("--to takes a digest, or its start with at least 12 hex digits");
  }
  TRY(const std::vector<v1::TagEvent> events, ReadHistory(client, name, kMaxEvents));
  std::set<std::string> found;
  for (const v1::TagEvent& event : events) {
    for (const std::string& digest : {event.row().after(), event.row().before()}) {
      if (digest.starts_with(text)) found.insert(digest);
    }
  }
  if (found.size() == 1) return *found.begin();
  const std::string of = " in the history of " + name.ToString();
  const std::string what =
      found.empty() ? "no digest" + of + " starts with " : "several digests" + of + " start with ";
  return Error{ErrorCode::kNotFound, what + text + "; 'outportctl tag history " + name.ToString() +
                                         " -o json' lists whole digests"};
}

// Says what the tag was before, and how to go back.
std::string TextOf(const TagName& name, const v1::RestoreTagResponse& restored) {
  const std::string text = name.ToString() + " is " + restored.digest();
  if (restored.before().empty()) return text + " (it was deleted)";
  if (restored.before() == restored.digest()) return text + " (unchanged)";
  return text + " (before: " + restored.before() + ")\nto go back: outportctl tag restore " +
         name.ToString() + " --to " + restored.before();
}

Result<void> RestoreTag(const Invocation& invocation, const Restore& options) {
  TRY(const TagName name, ParseTagName(options.name));
  if (name.tag.empty()) {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + options.name + "' names no tag; write REPO:TAG. 'outportctl tag history " +
                     options.name + "' lists the tags that were deleted"};
  }
  v1::RestoreTagRequest request;
  request.set_repository(name.repository);
  request.set_tag(name.tag);
  TRY(const int64_t at_ms, ParseTime("--at", options.at));
  if (at_ms != 0) request.set_at_ms(at_ms);
  TRY(StoreClient client, invocation.Connect());
  if (!options.to.empty()) {
    TRY(const std::string digest, FindDigest(client, name, options.to));
    request.set_digest(digest);
  }
  v1::RestoreTagResponse response;
  TRY_VOID(client.Call(&Stub::RestoreTag, request, response, "restoring " + name.ToString()));
  const boost::json::value document = {{"repository", name.repository},
                                       {"tag", name.tag},
                                       {"digest", response.digest()},
                                       {"before", response.before()},
                                       {"sequence", response.sequence()}};
  invocation.Print(document, TextOf(name, response));
  return {};
}

void AddRestore(const Command& family) {
  auto options = std::make_shared<Restore>();  // shared with the callback
  const Command restore = family.AddCommand(
      "restore",
      "Set a tag to what it was before its last change, or to an earlier digest of its history.\n"
      "Deleted content comes back too, while it is in the trash. A restore is a change, too: a\n"
      "second one without --to or --at takes the first one back.\n"
      "  outportctl tag restore team/app:latest\n"
      "  outportctl tag restore team/app:latest --at 2h");
  restore.AddOption("NAME", options->name, "The tag: REPO:TAG").Required().NotEmpty();
  const Option to = restore
                        .AddOption("--to", options->to,
                                   "A digest from 'tag history', or its start with at least 12 hex "
                                   "digits (default: the digest before the last change)")
                        .NotEmpty();
  restore
      .AddOption("--at", options->at,
                 "What the tag was at this time: a duration before now (2h), a day (2026-11-27) or "
                 "a time in UTC")
      .NotEmpty()
      .Excludes(to);
  restore.Run(options, RestoreTag);
}

// --- tag protect, unprotect, rules

struct Protect {
  std::string name;
  std::string repository;
  std::string tags;
};

Result<void> ProtectTags(const Invocation& invocation, const Protect& options) {
  TRY(StoreClient client, invocation.Connect());
  v1::SetTagRuleRequest request;
  request.mutable_rule()->set_name(options.name);
  request.mutable_rule()->set_repositories(options.repository);
  request.mutable_rule()->set_tags(options.tags);
  v1::SetTagRuleResponse response;
  TRY_VOID(
      client.Call(&Stub::SetTagRule, request, response, "setting the rule '" + options.name + "'"));
  boost::json::object document = {
      {"name", options.name}, {"repositories", options.repository}, {"tags", options.tags}};
  std::string text = "rule '" + options.name + "': tags " + options.tags + " in " +
                     options.repository + " can no longer be moved or deleted";
  if (response.has_replaced()) {
    const v1::TagRuleRow& replaced = response.replaced();
    document["replaced"] = {{"repositories", replaced.repositories()}, {"tags", replaced.tags()}};
    text += "\nreplaced rule '" + options.name + "' of " + replaced.repositories() + ": " +
            replaced.tags();
  }
  invocation.Print(document, text);
  return {};
}

Result<void> UnprotectTags(const Invocation& invocation, const std::string& name) {
  TRY(StoreClient client, invocation.Connect());
  v1::RemoveTagRuleRequest request;
  request.set_name(name);
  v1::RemoveTagRuleResponse response;
  TRY_VOID(
      client.Call(&Stub::RemoveTagRule, request, response, "removing the rule '" + name + "'"));
  invocation.Print({{"name", name}}, "rule '" + name + "' removed");
  return {};
}

Result<void> ListRules(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  Table table({"name", "repositories", "tags", "created", "created_by"});
  const auto add = [&table](const v1::TagRuleRow& rule) {
    table.Add({boost::json::value(rule.name()), boost::json::value(rule.repositories()),
               boost::json::value(rule.tags()), boost::json::value(ToTime(rule.created_ms())),
               boost::json::value(rule.created_by())});
  };
  TRY_VOID(client.ForEachRow(&Stub::ListTagRules, v1::ListTagRulesRequest(),
                             &v1::ListTagRulesResponse::rules, "listing the rules of tags", add));
  invocation.Print(table);
  return {};
}

void AddRules(const Command& family) {
  auto options = std::make_shared<Protect>();  // shared with the callback
  const Command protect = family.AddCommand(
      "protect",
      "Protect tags: a client can set such a tag once, but cannot move or delete it (403 DENIED\n"
      "with the rule's name). A rule with the same name is replaced, and the command says which.\n"
      "  outportctl tag protect releases --repository 'team/**' --tags 'v*'");
  protect.AddOption("NAME", options->name, "Name of the rule, for messages").Required().NotEmpty();
  protect
      .AddOption("--repository", options->repository,
                 "Repositories: team/app, team/* (one level) or team/** (any depth)")
      .Required()
      .NotEmpty();
  protect.AddOption("--tags", options->tags, "Tags: v1.2.3, v* or *").Required().NotEmpty();
  protect.Run(options, ProtectTags);

  auto removed = std::make_shared<std::string>();  // shared with the callback
  const Command unprotect = family.AddCommand("unprotect",
                                              "Remove a rule of 'tag protect'.\n"
                                              "  outportctl tag unprotect releases");
  unprotect.AddOption("NAME", *removed, "Name of the rule").Required().NotEmpty();
  unprotect.Run(removed, UnprotectTags);

  family
      .AddCommand("rules",
                  "List the rules of 'tag protect'.\n"
                  "  outportctl tag rules")
      .Run(ListRules);
}

}  // namespace

void AddTagCommands(const Command& app) {
  const Command family = app.AddFamily("tag", "Show the history of tags, restore and protect them");
  AddHistory(family);
  AddRestore(family);
  AddRules(family);
}

}  // namespace outport::control
