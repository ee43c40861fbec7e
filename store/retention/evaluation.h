#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/retention.pb.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"
#include "store/retention/tag_patterns.h"

namespace outport::store {

// The facts about a tag by which a policy decides. Times are milliseconds by the store clock.
struct TagFacts {
  Tag name;
  Digest digest;
  int64_t pushed_ms = 0;          // when the tag got its digest
  int64_t pulled_ms = 0;          // PullRow.last_ms of the last pull; 0: no known pull
  std::string pulled_at = {};     // the node; empty: the store
  bool pulls_known = true;        // false: there may be a later pull (LastPull::is_complete)
  std::string protected_by = {};  // the name of the rule that protects the tag; empty: none
  // The tag names a manifest with a subject, or is the tag of a signature, and the subject is in
  // the repository.
  bool has_subject = false;
};

struct TagDecision {
  bool keep = true;
  std::string rule;  // why, in words
};

// A policy with compiled patterns. Immutable; safe for several threads.
class CompiledPolicy {
 public:
  // kInvalidArgument if a pattern is invalid; ParsePolicies() has checked them. The policy shares
  // the compiled patterns of `patterns`.
  static Result<CompiledPolicy> Compile(const v1::RetentionPolicy& policy, TagPatterns& patterns);
  static Result<CompiledPolicy> Compile(const v1::RetentionPolicy& policy);
  CompiledPolicy(CompiledPolicy&&) noexcept;
  ~CompiledPolicy();

  const v1::RetentionPolicy& policy() const { return policy_; }
  bool Matches(const std::string& repository) const;
  // Whether the policy looks at pulls, so that it needs the reports of all nodes.
  bool LooksAtPulls() const;
  bool LooksAtPulledTags() const;

  // Decides about all tags of one repository; the result has the order of `tags`. A tag stays if
  // one entry keeps it, if no entry's pattern matches it, if a rule protects it, or if its subject
  // is there. No entry counts a tag whose subject is there: signatures take no place of the images
  // that they belong to. `latest` stays unless a pattern that matches it contains the word
  // "latest". An entry whose only condition is newest_semver_per_minor matches no tags but
  // versions. A tag without a known pull counts as pulled when it was pushed. A known pull counts
  // as pulled at its latest time (LatestPullMs()): if an entry that looks at pulls drops a tag, a
  // later pull has a later time in its row, and the run notices it. So more tags may stay than
  // last_pulled says. A tag whose pulls are not all known stays if an entry that matches it looks
  // at pulls. Tags that are equal in the order of last_pushed, last_pulled or of versions stay
  // together. Does not block.
  std::vector<TagDecision> Evaluate(const std::vector<TagFacts>& tags, int64_t now_ms) const;

 private:
  CompiledPolicy();

  v1::RetentionPolicy policy_;
  std::vector<TagPattern> patterns_;  // of the entries
};

}  // namespace outport::store
