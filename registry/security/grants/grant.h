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

// What a subject may do in the repositories that match a pattern (pattern.h).
struct Grant {
  std::set<Action> actions;
  std::string pattern;
  bool operator==(const Grant&) const = default;
};

// "pull,push" (all repositories) or "pull,push:team/**". kInvalidArgument names what is wrong.
Result<Grant> ParseGrant(std::string_view text);
std::string ToString(const Grant& grant);
std::string ToString(const std::vector<Grant>& grants);  // "pull:a pull,push:b", or "none"
// '*' stands for any run of characters: "ci-*".
bool MatchesName(std::string_view glob, std::string_view name);

// Whom a grant is given to.
enum class SubjectKind { kUser, kGroup, kCertificate, kAnonymous };

// "user:anna", "group:ops", "certificate:ci-1", "anonymous" (whoever has a client certificate,
// where the registry asks for one).
struct Subject {
  SubjectKind kind = SubjectKind::kUser;
  std::string name;  // empty for kAnonymous
  auto operator<=>(const Subject&) const = default;
};
std::string ToString(const Subject& subject);
// kInvalidArgument names what is wrong.
Result<Subject> ParseSubject(std::string_view text);

// kInvalidArgument unless the grant can mean something for `kind`: no admin, which certificates of
// administrators are for; only pull for anybody; and a pattern that the name of some repository
// matches. For grants that are given; one that was given is read without it.
Result<void> CheckGrant(const Grant& grant, SubjectKind kind);

}  // namespace outport
