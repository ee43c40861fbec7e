#include "store/retention/evaluation.h"

#include <re2/re2.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "registry/security/grants/pattern.h"
#include "store/content/pulls.h"
#include "store/retention/version.h"

namespace outport::store {
namespace {

constexpr std::string_view kLatest = "latest";

// "30d", "36h", "90s": the largest unit that fits.
std::string TimeText(int64_t time_ms) {
  struct Unit {
    int64_t ms;
    const char* suffix;
  };
  for (const Unit& unit :
       {Unit{86'400'000, "d"}, Unit{3'600'000, "h"}, Unit{60'000, "m"}, Unit{1000, "s"}}) {
    if (time_ms % unit.ms == 0) return std::to_string(time_ms / unit.ms) + unit.suffix;
  }
  return std::to_string(time_ms) + "ms";
}

bool HasConditions(const v1::RetentionKeep& entry) {
  return entry.pushed_within_ms() != 0 || entry.pulled_within_ms() != 0 ||
         entry.last_pushed() != 0 || entry.last_pulled() != 0 ||
         entry.newest_semver_per_minor() != 0;
}

bool AsksForPulls(const v1::RetentionKeep& entry) {
  return entry.pulled_within_ms() != 0 || entry.last_pulled() != 0;
}

bool HasOnlyVersions(const v1::RetentionKeep& entry) {
  return entry.newest_semver_per_minor() != 0 && entry.pushed_within_ms() == 0 &&
         entry.pulled_within_ms() == 0 && entry.last_pushed() == 0 && entry.last_pulled() == 0;
}

// Returns the value of the last of the `count` greatest values. Zeros do not count.
int64_t LeastOfGreatest(std::vector<int64_t> values, uint32_t count) {
  std::erase(values, 0);
  if (values.size() <= count) return std::numeric_limits<int64_t>::min();
  std::ranges::nth_element(values, values.begin() + count - 1, std::greater<>());
  return values[count - 1];
}

// Decides by one entry. The tags that it matches are ordered once.
class Entry {
 public:
  Entry(const v1::RetentionKeep& entry, const re2::RE2& pattern, const std::vector<TagFacts>& tags,
        size_t number)
      : entry_(entry), name_("entry " + std::to_string(number)) {
    const bool only_versions = HasOnlyVersions(entry);
    std::vector<int64_t> pushed;
    std::vector<int64_t> pulled;
    matches_.reserve(tags.size());
    for (const TagFacts& tag : tags) {
      const std::string& text = tag.name.ToString();
      bool matches = !tag.has_subject && re2::RE2::FullMatch(text, pattern);
      const bool needs_version = entry.newest_semver_per_minor() != 0 || only_versions;
      std::optional<Version> version;
      if (matches && needs_version) version = Version::Parse(text);
      if (only_versions && !version.has_value()) matches = false;
      matches_.push_back(matches);
      if (!matches) continue;
      pushed.push_back(tag.pushed_ms);
      pulled.push_back(tag.pulled_ms);
      if (version.has_value()) newest_[GroupOf(*version)].push_back(*version);
    }
    LimitVersions();
    if (entry.last_pushed() != 0) pushed_from_ms_ = LeastOfGreatest(pushed, entry.last_pushed());
    if (entry.last_pulled() != 0) pulled_from_ms_ = LeastOfGreatest(pulled, entry.last_pulled());
  }

  bool Matches(size_t tag) const { return matches_[tag]; }
  const std::string& name() const { return name_; }

  // Returns the condition that keeps the tag, or nullopt. REQUIRES: the entry matches the tag.
  std::optional<std::string> Keeps(const TagFacts& tag, int64_t now_ms) const {
    if (!HasConditions(entry_)) return name_ + ": tags " + entry_.tags();
    if (entry_.pushed_within_ms() != 0 && tag.pushed_ms + entry_.pushed_within_ms() > now_ms) {
      return name_ + ": pushed_within " + TimeText(entry_.pushed_within_ms());
    }
    const int64_t used_ms = std::max(tag.pushed_ms, LatestPullMs(tag.pulled_ms));
    if (entry_.pulled_within_ms() != 0 && used_ms + entry_.pulled_within_ms() > now_ms) {
      return name_ + ": pulled_within " + TimeText(entry_.pulled_within_ms());
    }
    if (entry_.last_pushed() != 0 && tag.pushed_ms >= pushed_from_ms_) {
      return name_ + ": last_pushed " + std::to_string(entry_.last_pushed());
    }
    if (entry_.last_pulled() != 0 && tag.pulled_ms != 0 &&
        LatestPullMs(tag.pulled_ms) >= pulled_from_ms_) {
      return name_ + ": last_pulled " + std::to_string(entry_.last_pulled());
    }
    if (entry_.newest_semver_per_minor() != 0 && IsNewVersion(tag)) {
      return name_ + ": newest_semver_per_minor " +
             std::to_string(entry_.newest_semver_per_minor());
    }
    if (!tag.pulls_known && AsksForPulls(entry_)) {
      return name_ + ": too many related manifests to know the last pull";
    }
    return std::nullopt;
  }

 private:
  // Releases and pre-releases are counted apart, so that no pre-release drives out a release.
  using Group = std::tuple<uint64_t, uint64_t, bool>;
  static Group GroupOf(const Version& version) {
    return {version.major, version.minor, version.prerelease.empty()};
  }

  // Leaves the newest versions of each group, the newest first.
  void LimitVersions() {
    for (auto& [group, versions] : newest_) {
      std::ranges::sort(versions, std::greater<>());
      const auto equal = std::ranges::unique(versions);
      versions.erase(equal.begin(), equal.end());
      if (versions.size() > entry_.newest_semver_per_minor()) {
        versions.resize(entry_.newest_semver_per_minor());
      }
    }
  }

  bool IsNewVersion(const TagFacts& tag) const {
    const std::optional<Version> version = Version::Parse(tag.name.ToString());
    if (!version.has_value()) return false;
    const auto group = newest_.find(GroupOf(*version));
    return group != newest_.end() && *version >= group->second.back();
  }

  const v1::RetentionKeep& entry_;
  const std::string name_;
  std::vector<bool> matches_;
  int64_t pushed_from_ms_ = 0;
  int64_t pulled_from_ms_ = 0;
  std::map<Group, std::vector<Version>> newest_;
};

TagDecision Decide(const std::vector<Entry>& entries, const std::vector<TagFacts>& tags, size_t tag,
                   int64_t now_ms) {
  std::string tried;
  for (const Entry& entry : entries) {
    if (!entry.Matches(tag)) continue;
    if (auto rule = entry.Keeps(tags[tag], now_ms)) return {.keep = true, .rule = *std::move(rule)};
    tried += (tried.empty() ? "" : ", ") + entry.name();
  }
  if (tried.empty()) return {.keep = true, .rule = "no entry matches"};
  return {.keep = false, .rule = "no condition holds: " + tried};
}

}  // namespace

CompiledPolicy::CompiledPolicy() = default;
CompiledPolicy::CompiledPolicy(CompiledPolicy&&) noexcept = default;
CompiledPolicy::~CompiledPolicy() = default;

Result<CompiledPolicy> CompiledPolicy::Compile(const v1::RetentionPolicy& policy) {
  TagPatterns patterns(PolicySource::kStore);
  return Compile(policy, patterns);
}

Result<CompiledPolicy> CompiledPolicy::Compile(const v1::RetentionPolicy& policy,
                                               TagPatterns& patterns) {
  CompiledPolicy compiled;
  compiled.policy_ = policy;
  for (const v1::RetentionKeep& entry : policy.keep()) {
    TRY(TagPattern pattern, patterns.Compile(entry.tags()));
    compiled.patterns_.push_back(std::move(pattern));
  }
  return compiled;
}

bool CompiledPolicy::Matches(const std::string& repository) const {
  return std::ranges::any_of(policy_.repositories(), [&](const std::string& glob) {
    return MatchesPattern(glob, repository);
  });
}

bool CompiledPolicy::LooksAtPulledTags() const {
  return std::ranges::any_of(policy_.keep(), AsksForPulls);
}

bool CompiledPolicy::LooksAtPulls() const {
  return LooksAtPulledTags() || policy_.has_untagged_keep_for_ms();
}

std::vector<TagDecision> CompiledPolicy::Evaluate(const std::vector<TagFacts>& tags,
                                                  int64_t now_ms) const {
  std::vector<Entry> entries;
  bool names_latest = false;
  for (int i = 0; i < policy_.keep_size(); ++i) {
    const v1::RetentionKeep& keep = policy_.keep(i);
    entries.emplace_back(keep, *patterns_[i], tags, i + 1);
    names_latest = names_latest || (keep.tags().contains(kLatest) &&
                                    re2::RE2::FullMatch(std::string(kLatest), *patterns_[i]));
  }
  std::vector<TagDecision> decisions;
  decisions.reserve(tags.size());
  for (size_t i = 0; i < tags.size(); ++i) {
    TagDecision decision = Decide(entries, tags, i, now_ms);
    if (tags[i].has_subject) {
      decision = {.keep = true, .rule = "its subject is in the repository"};
    } else if (!decision.keep && !tags[i].protected_by.empty()) {
      decision = {.keep = true, .rule = "tag rule " + tags[i].protected_by};
    } else if (!decision.keep && !names_latest && tags[i].name.ToString() == kLatest) {
      decision = {.keep = true, .rule = "latest stays unless a pattern names it"};
    }
    decisions.push_back(std::move(decision));
  }
  return decisions;
}

}  // namespace outport::store
