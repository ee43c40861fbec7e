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

// Parses "pull,push", which means all repositories, or "pull,push:team/**". kInvalidArgument says
// which part is invalid.
Result<Grant> ParseGrant(std::string_view text);
std::string ToString(const Grant& grant);
std::string ToString(const std::vector<Grant>& grants);  // "pull:a pull,push:b", or "none"
// Whether `glob` matches `name`. A '*' matches any number of characters: "ci-*" matches "ci-1".
bool MatchesName(std::string_view glob, std::string_view name);

// The kinds of subjects that grants are given to.
enum class SubjectKind { kUser, kGroup, kCertificate, kAnonymous };

// A subject of grants: "user:anna", "group:ops", "certificate:ci-1" or "anonymous". Grants to
// "anonymous" apply to every caller that the registry admits. If the registry requires client
// certificates, these are only callers with a certificate.
struct Subject {
  SubjectKind kind = SubjectKind::kUser;
  std::string name;  // empty for kAnonymous
  auto operator<=>(const Subject&) const = default;
};
std::string ToString(const Subject& subject);
// kInvalidArgument says which part is invalid.
Result<Subject> ParseSubject(std::string_view text);

// Checks a new grant. kInvalidArgument if the grant has 'admin' (only certificates have that role),
// if it gives kAnonymous more than pull, or if no repository name can match its pattern. The check
// does not apply to grants that are already stored.
Result<void> CheckGrant(const Grant& grant, SubjectKind kind);

}  // namespace outport
