#pragma once

#include <compare>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/security/grants/pattern.h"
#include "registry/security/pki/identity.h"

namespace outport {

// Actions that a subject may perform in the repositories that match a pattern (pattern.h).
struct Grant {
  std::set<Action> actions;
  std::string pattern;
  bool operator==(const Grant&) const = default;
};

// "pull,push" (all repositories) or "pull,push:team/**". kInvalidArgument names what is wrong.
Result<Grant> ParseGrant(std::string_view text);
std::string ToString(const Grant& grant);
std::string ToString(const std::vector<Grant>& grants);  // "pull:a pull,push:b", or "none"
// '*' in `glob` matches any run of characters: "ci-*".
bool MatchesName(std::string_view glob, std::string_view name);

// The kinds of subjects that grants are given to.
enum class SubjectKind { kUser, kGroup, kCertificate, kAnonymous };

// "user:anna", "group:ops", "certificate:ci-1", "anonymous". "anonymous" is every caller; if the
// registry requires a client certificate, every caller with one.
struct Subject {
  SubjectKind kind = SubjectKind::kUser;
  std::string name;  // empty for kAnonymous
  auto operator<=>(const Subject&) const = default;
};
std::string ToString(const Subject& subject);
// kInvalidArgument names what is wrong.
Result<Subject> ParseSubject(std::string_view text);

// Checks a new grant. kInvalidArgument if it has 'admin' (only certificates have that role), if it
// gives kAnonymous more than pull, or if no repository name can match its pattern. Stored grants
// are read without this check.
Result<void> CheckGrant(const Grant& grant, SubjectKind kind);

}  // namespace outport
