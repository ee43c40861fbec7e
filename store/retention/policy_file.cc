#include "store/retention/policy_file.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "registry/base/settings.h"
#include "registry/security/grants/grant.h"

namespace outport::store {
namespace {

using std::chrono::milliseconds;

constexpr size_t kMaxGlobs = 100;
constexpr size_t kMaxEntries = 50;
constexpr size_t kMaxNameBytes = 64;
constexpr int64_t kMaxCount = 1'000'000;
constexpr milliseconds kLeastPulledWithin = std::chrono::hours(1);
constexpr milliseconds kMaxTime = std::chrono::days(36500);
constexpr int kMinutesOfHour = 60;
constexpr int kHoursOfDay = 24;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

// Returns the time at the key in milliseconds; 0 if the key is absent.
int64_t ReadTime(Settings& section, std::string_view key, milliseconds least) {
  if (!section.Has(key)) return 0;
  const milliseconds time = section.Duration(key, least);
  if (time >= least && time <= kMaxTime) return time.count();
  section.AddProblem(key, "must be a time from " + std::to_string(least.count()) +
                              "ms to 36500d, for example 30d");
  return least.count();
}

int64_t ReadPulledWithin(Settings& section, PolicySource source) {
  constexpr std::string_view kKey = "pulled_within";
  if (source == PolicySource::kStore) return ReadTime(section, kKey, milliseconds(1));
  if (!section.Has(kKey)) return 0;
  const milliseconds time = section.Duration(kKey, kLeastPulledWithin);
  if (time < kLeastPulledWithin) {
    section.AddProblem(
        kKey,
        "must be at least 1h, because the store records a pull of a tag at most once "
        "an hour; write for example 14d");
  } else if (time > kMaxTime) {
    section.AddProblem(kKey, "must be at most 36500d; write for example 14d");
  }
  return time.count();
}

uint32_t ReadCount(Settings& section, std::string_view key) {
  return section.Has(key) ? static_cast<uint32_t>(section.Integer(key, 1, 1, kMaxCount)) : 0;
}

void ReadEntry(Settings& section, TagPatterns& patterns, v1::RetentionKeep& entry) {
  entry.set_tags(section.RequiredString("tags"));
  if (section.Has("tags") && !patterns.full()) {
    const auto pattern = patterns.Compile(entry.tags());
    if (!pattern.has_value()) section.AddProblem("tags", pattern.error().message);
  }
  entry.set_pushed_within_ms(ReadTime(section, "pushed_within", milliseconds(1)));
  entry.set_pulled_within_ms(ReadPulledWithin(section, patterns.source()));
  entry.set_last_pushed(ReadCount(section, "last_pushed"));
  entry.set_last_pulled(ReadCount(section, "last_pulled"));
  entry.set_newest_semver_per_minor(ReadCount(section, "newest_semver_per_minor"));
}

void ReadPolicy(Settings& section, TagPatterns& patterns, v1::RetentionPolicy& policy) {
  policy.set_name(section.RequiredString("name"));
  const bool valid = policy.name().size() <= kMaxNameBytes && !policy.name().empty() &&
                     std::ranges::all_of(policy.name(), IsNameCharacter);
  if (section.Has("name") && !valid) {
    section.AddProblem("name", "must have 1 to 64 of the characters a-z 0-9 . _ -");
  }
  for (std::string& glob : section.Strings("repositories", kMaxGlobs)) {
    // ParseGrant() has the rules of such a glob.
    if (!ParseGrant("pull:" + glob).has_value()) {
      section.AddProblem("repositories",
                         "'" + glob.substr(0, kMaxPatternBytes) +
                             "' matches no repository; write for example team/app, team/* or "
                             "team/**");
    }
    policy.add_repositories(std::move(glob));
  }
  if (policy.repositories_size() == 0) {
    section.AddProblem("repositories",
                       "must list the repositories of the policy, for example [\"ci/*\"]");
  }
  for (Settings& entry : section.Sections("keep", kMaxEntries)) {
    ReadEntry(entry, patterns, *policy.add_keep());
  }
  if (section.Has("untagged")) {
    Settings untagged = section.Section("untagged");
    if (!untagged.Has("keep_for")) {
      section.AddProblem("untagged", "must have the key 'keep_for', for example {keep_for: 7d}");
    }
    policy.set_untagged_keep_for_ms(ReadTime(untagged, "keep_for", milliseconds(0)));
  }
}

}  // namespace

int MinuteOfSchedule(const std::string& schedule) {
  const auto digit = [&](size_t at) {
    const char c = schedule[at];
    return c >= '0' && c <= '9' ? c - '0' : 1000;
  };
  if (schedule.size() != 5 || schedule[2] != ':') return -1;
  const int hours = digit(0) * 10 + digit(1);
  const int minutes = digit(3) * 10 + digit(4);
  if (hours >= kHoursOfDay || minutes >= kMinutesOfHour) return -1;
  return hours * kMinutesOfHour + minutes;
}

Result<v1::RetentionPolicies> ParsePolicies(const std::string& yaml, const std::string& file_name,
                                            PolicySource source) {
  TagPatterns patterns(source);
  return ParsePolicies(yaml, file_name, patterns);
}

Result<v1::RetentionPolicies> ParsePolicies(const std::string& yaml, const std::string& file_name,
                                            TagPatterns& patterns) {
  if (yaml.size() > kMaxPolicyFileBytes) {
    return Error{ErrorCode::kInvalidArgument,
                 file_name + ":1: the file is larger than 64 KiB; write fewer policies"};
  }
  TRY(Settings settings, Settings::Parse(yaml, file_name));
  v1::RetentionPolicies policies;
  if (!settings.Has("policies")) {
    settings.AddProblem("policies", "is missing; write 'policies: []' to keep everything");
  }
  std::set<std::string> names;
  for (Settings& section : settings.Sections("policies", kMaxPolicies)) {
    v1::RetentionPolicy& policy = *policies.add_policies();
    ReadPolicy(section, patterns, policy);
    if (!names.insert(policy.name()).second) {
      section.AddProblem("name", "'" + policy.name() + "' is the name of an earlier policy");
    }
  }
  policies.set_schedule(settings.String("schedule", ""));
  if (!policies.schedule().empty() && MinuteOfSchedule(policies.schedule()) < 0) {
    settings.AddProblem("schedule", "'" + policies.schedule() +
                                        "' is not a time of day; write for example \"03:00\"");
  }
  TRY_VOID(settings.Finish());
  return policies;
}

}  // namespace outport::store
