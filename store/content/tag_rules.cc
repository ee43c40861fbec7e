#include "store/content/tag_rules.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "registry/records/rows.h"
#include "registry/security/grants/grant.h"
#include "registry/security/pki/identity.h"
#include "store/audit/row_json.h"

namespace outport::store {
namespace {

constexpr size_t kMaxTagPatternBytes = 128;
constexpr size_t kTagsPerScan = 1000;
constexpr size_t kMaxIndexes = 1000;

bool IsTagPatternCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-' || c == '*';
}

bool IsTagPattern(const std::string& text) {
  return !text.empty() && text.size() <= kMaxTagPatternBytes &&
         std::ranges::all_of(text, IsTagPatternCharacter);
}

Result<void> CheckRule(const v1::TagRuleRow& rule) {
  TRY_VOID(ParseSubjectName(rule.name()));
  if (!IsRepositoryPattern(rule.repositories())) {
    return InvalidRepositoryPattern(rule.repositories());
  }
  if (IsTagPattern(rule.tags())) return {};
  return Error{ErrorCode::kInvalidArgument,
               "'" + rule.tags().substr(0, 300) +
                   "' is not a valid pattern of tags; use 1 to 128 letters, digits, '.', '_', '-' "
                   "and '*', for example v*"};
}

Result<void> RequireUnprotectedTags(const MetaView& meta, const RepositoryName& repository,
                                    const Digest& digest, const TagProtection& protection) {
  const std::string prefix = keys::TagsOn(repository, digest);
  for (ScanRange range{.prefix = prefix, .limit = kTagsPerScan};;) {
    TRY(const std::vector<KeyValue> rows, meta.Scan(range));
    for (const KeyValue& row : rows) {
      TRY(const Tag tag, Tag::Parse(keys::After(row.key, prefix)));
      TRY_VOID(protection.RequireUnprotected(tag));
    }
    if (rows.size() < range.limit) return {};
    range.after = rows.back().key;
  }
}

Error TooManyIndexes(const RepositoryName& repository, const Digest& digest) {
  return Error{ErrorCode::kDenied,
               "manifest " + digest.ToString() + " is part of more than " +
                   std::to_string(kMaxIndexes) + " indexes of " + repository.ToString() +
                   ", too many to look for protected tags; delete indexes first, or remove the "
                   "rules of the repository with 'outportctl tag unprotect'"};
}

// Returns the indexes of the repository that list the manifest. kDenied if there are more than
// kMaxIndexes.
Result<std::vector<Digest>> IndexesOf(const MetaView& meta, const RepositoryName& repository,
                                      const Digest& digest) {
  const std::string prefix = keys::ReferencesTo(digest, repository);
  TRY(const std::vector<KeyValue> rows, meta.Scan({.prefix = prefix, .limit = kMaxIndexes + 1}));
  if (rows.size() > kMaxIndexes) return TooManyIndexes(repository, digest);
  std::vector<Digest> indexes;
  for (const KeyValue& row : rows) {
    TRY(Digest index, Digest::Parse(keys::After(row.key, prefix)));
    // The deletion of a corrupt index leaves such rows.
    TRY(const bool exists, HasRow(meta, keys::ManifestOf(repository, index)));
    if (exists) indexes.push_back(std::move(index));
  }
  return indexes;
}

}  // namespace

bool IsRepositoryPattern(const std::string& text) {
  const Result<Grant> grant = ParseGrant("pull:" + text);
  return grant.has_value() && CheckGrant(*grant, SubjectKind::kUser).has_value();
}

Error InvalidRepositoryPattern(const std::string& text) {
  return Error{ErrorCode::kInvalidArgument,
               "'" + text.substr(0, 300) +
                   "' is not a valid pattern of repositories; write for example team/app, "
                   "team/* or **"};
}

Result<TagProtection> TagProtection::Read(MetaTransaction& transaction,
                                          const RepositoryName& repository) {
  TRY(const std::vector<KeyValue> rows,
      transaction.Scan({.prefix = std::string(keys::kTagRules), .limit = kMaxTagRules}));
  return Of(rows, repository);
}

Result<TagProtection> TagProtection::Read(const MetaView& meta, const RepositoryName& repository) {
  TRY(const std::vector<KeyValue> rows,
      meta.Scan({.prefix = std::string(keys::kTagRules), .limit = kMaxTagRules}));
  return Of(rows, repository);
}

Result<TagProtection> TagProtection::Of(const std::vector<KeyValue>& rows,
                                        const RepositoryName& repository) {
  TagProtection protection;
  protection.repository_ = repository.ToString();
  for (const KeyValue& row : rows) {
    TRY(auto rule, ParseRow<v1::TagRuleRow>(row.key, row.value));
    if (MatchesPattern(rule.repositories(), protection.repository_)) {
      protection.rules_.push_back(std::move(rule));
    }
  }
  return protection;
}

const v1::TagRuleRow* TagProtection::Find(const Tag& tag) const {
  const auto found = std::ranges::find_if(rules_, [&tag](const v1::TagRuleRow& rule) {
    return MatchesName(rule.tags(), tag.ToString());
  });
  return found == rules_.end() ? nullptr : &*found;
}

Result<void> TagProtection::RequireUnprotected(const Tag& tag) const {
  const v1::TagRuleRow* rule = Find(tag);
  if (rule == nullptr) return {};
  return Error{
      ErrorCode::kDenied,
      "tag " + tag.ToString() + " of " + repository_ + " is protected by the rule '" +
          rule->name() + "' (repositories " + rule->repositories() + ", tags " + rule->tags() +
          "), so it can be neither changed nor deleted; use another tag, or remove the rule "
          "with 'outportctl tag unprotect " +
          rule->name() + "'",
      {tag.ToString()}};
}

Result<void> RequireUnprotectedImage(const MetaView& meta, const RepositoryName& repository,
                                     const Digest& digest) {
  TRY(const TagProtection protection, TagProtection::Read(meta, repository));
  if (protection.empty()) return {};
  std::set<std::string> seen = {digest.ToString()};
  std::vector<Digest> open = {digest};
  while (!open.empty()) {
    const Digest next = open.back();
    open.pop_back();
    const Result<void> unprotected = RequireUnprotectedTags(meta, repository, next, protection);
    if (!unprotected.has_value() && next != digest) {
      return Error(unprotected.error())
          .Within("manifest " + digest.ToString() + " is part of a protected image");
    }
    TRY_VOID(unprotected);
    TRY(const std::vector<Digest> indexes, IndexesOf(meta, repository, next));
    for (const Digest& index : indexes) {
      if (seen.size() > kMaxIndexes) return TooManyIndexes(repository, digest);
      if (seen.insert(index.ToString()).second) open.push_back(index);
    }
  }
  return {};
}

Result<std::optional<v1::TagRuleRow>> TagRules::Set(const v1::TagRuleRow& rule, int64_t created_ms,
                                                    const Actor& by) {
  TRY_VOID(CheckRule(rule));
  v1::TagRuleRow row = rule;
  row.set_created_by(by.name);
  row.set_created_ms(created_ms);
  const std::string key = keys::TagRule(row.name());
  const Auditor auditor(by, clock_);
  std::optional<v1::TagRuleRow> before;
  auto set = [&](MetaTransaction& transaction) -> Result<void> {
    // Two new rules at the same time must not exceed the limit, so they lock one key that no rule
    // has.
    TRY(const auto all, transaction.GetForUpdate(keys::kTagRules));
    TRY(before, LockRow<v1::TagRuleRow>(transaction, key));
    TRY(const std::vector<KeyValue> rules,
        transaction.Scan({.prefix = std::string(keys::kTagRules), .limit = kMaxTagRules}));
    if (!before.has_value() && rules.size() >= kMaxTagRules) {
      return Error{ErrorCode::kInvalidArgument,
                   "there are already 100 rules, the maximum: use wider patterns"};
    }
    auditor.Add(transaction, "tag-rule.set", "tag-rule/" + row.name(), RowJson(before),
                RowJson(row));
    return WriteRow(transaction, key, row);
  };
  TRY_VOID(Transact(meta_, set));
  log_.Info("tag rule set", {{"rule", row.name()},
                             {"repositories", row.repositories()},
                             {"tags", row.tags()},
                             {"by", by.name}});
  return before;
}

Result<void> TagRules::Remove(const std::string& name, const Actor& by) {
  TRY(const std::string parsed, ParseSubjectName(name));
  const std::string key = keys::TagRule(parsed);
  const Auditor auditor(by, clock_);
  auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(const auto before, LockRow<v1::TagRuleRow>(transaction, key));
    if (!before.has_value()) {
      return Error{ErrorCode::kNotFound,
                   "there is no rule '" + name + "'; 'outportctl tag rules' lists the rules",
                   {name}};
    }
    auditor.Add(transaction, "tag-rule.remove", "tag-rule/" + name, RowJson(before), nullptr);
    return transaction.Delete(key);
  };
  TRY_VOID(Transact(meta_, remove));
  log_.Info("tag rule removed", {{"rule", name}, {"by", by.name}});
  return {};
}

Result<RowPage<v1::TagRuleRow>> TagRules::List(const std::string& after, size_t limit) const {
  return ListRows<v1::TagRuleRow>(meta_, keys::kTagRules, after, limit);
}

}  // namespace outport::store
