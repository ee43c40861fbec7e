#pragma once

#include <optional>
#include <string>
#include <vector>

#include "outport/v1/collection.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/oci/name.h"
#include "registry/records/row_page.h"
#include "registry/storage/meta_store.h"
#include "store/audit/auditor.h"

namespace outport::store {

inline constexpr size_t kMaxTagRules = 100;

// Returns whether some repository name can match the pattern. An administrator writes such patterns
// in rules for tags and in requests for garbage collection.
bool IsRepositoryPattern(const std::string& text);
// The error for a text that is no such pattern.
Error InvalidRepositoryPattern(const std::string& text);

// The rules that protect the tags of one repository, as rows of a transaction or a view. A tag that
// exists and matches a rule is neither changed nor deleted. A value type.
class TagProtection {
 public:
  // Reads the rules in force, at most kMaxTagRules. Every transaction that moves or deletes a tag
  // calls it, so a rule is in force at all stores when its commit is. A change of a tag that began
  // before that commit may still complete. May block.
  static Result<TagProtection> Read(MetaTransaction& transaction, const RepositoryName& repository);
  static Result<TagProtection> Read(const MetaView& meta, const RepositoryName& repository);

  // Whether no rule applies to the repository.
  bool empty() const { return rules_.empty(); }
  // Returns the first rule, in byte order of the names, that protects the tag; nullptr: none. The
  // result points into this object.
  const v1::TagRuleRow* Find(const Tag& tag) const;
  // Returns kDenied with the rule's name if a rule protects the tag.
  Result<void> RequireUnprotected(const Tag& tag) const;

 private:
  static Result<TagProtection> Of(const std::vector<KeyValue>& rows,
                                  const RepositoryName& repository);

  std::string repository_;
  std::vector<v1::TagRuleRow> rules_;
};

// Returns kDenied if a rule protects a tag of the manifest, or a tag of an index that contains the
// manifest; also if more than a thousand indexes do, because it does not look at more. Reads all
// tags of each, but only if a rule applies to the repository. May block.
Result<void> RequireUnprotectedImage(const MetaView& meta, const RepositoryName& repository,
                                     const Digest& digest);

// Sets, removes and lists the rules that protect tags. Safe for several threads; every method
// blocks.
class TagRules {
 public:
  // The arguments outlive this object.
  TagRules(MetaStore& meta, const Clock& clock, Log log)
      : meta_(meta), clock_(clock), log_(std::move(log)) {}

  // Adds the rule, or replaces the rule of the same name. kInvalidArgument if the name or a glob is
  // not valid, or if there are kMaxTagRules other rules. `created_ms` is the time of the store
  // clock. `rule.created_by` and `rule.created_ms` are ignored. Returns the rule that it replaced.
  Result<std::optional<v1::TagRuleRow>> Set(const v1::TagRuleRow& rule, int64_t created_ms,
                                            const Actor& by);
  // kNotFound if there is no such rule.
  Result<void> Remove(const std::string& name, const Actor& by);
  // Returns at most `limit` rules (at least 1), after the name `after` in byte order.
  Result<RowPage<v1::TagRuleRow>> List(const std::string& after, size_t limit) const;

 private:
  MetaStore& meta_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
