#include "registry/security/grants/grant.h"

#include <algorithm>
#include <array>

#include "registry/oci/name.h"

namespace outport {
namespace {

constexpr std::array kActions = {Action::kPull, Action::kPush, Action::kDelete, Action::kAdmin};

bool IsPatternCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
         c == '/' || c == '*';
}

Error BadGrant(std::string_view text, std::string_view why) {
  return Error{ErrorCode::kInvalidArgument, "'" + std::string(text.substr(0, 300)) +
                                                "' is not a valid grant: " + std::string(why) +
                                                "; write for example pull,push:team/**"};
}

Result<void> CheckPattern(std::string_view text, std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kMaxPatternBytes) {
    return BadGrant(text, "its pattern is empty or longer than 255 bytes");
  }
  if (!std::ranges::all_of(pattern, IsPatternCharacter)) {
    return BadGrant(text, "its pattern may contain only a-z 0-9 . _ - / *");
  }
  if (pattern.front() == '/' || pattern.back() == '/' || pattern.contains("//") ||
      pattern.contains("***")) {
    return BadGrant(text, "its pattern begins or ends with '/', or has '//' or '***'");
  }
  return {};
}

// Whether some name can match a level of a pattern. This is so if the level is valid after each
// star is replaced by a letter.
bool SomeNameMatches(std::string level) {
  std::ranges::replace(level, '*', 'a');
  return RepositoryName::Parse(level).has_value();
}

}  // namespace

Result<Grant> ParseGrant(std::string_view text) {
  Grant grant;
  const size_t colon = text.find(':');
  grant.pattern = colon == std::string_view::npos ? kEverything : text.substr(colon + 1);
  TRY_VOID(CheckPattern(text, grant.pattern));
  std::string_view names = text.substr(0, colon);
  while (true) {
    const size_t comma = names.find(',');
    const std::string_view name = names.substr(0, comma);
    const auto* found = std::ranges::find(kActions, name, [](Action a) { return ToString(a); });
    if (found == kActions.end()) {
      return BadGrant(text,
                      "'" + std::string(name.substr(0, 64)) + "' is not pull, push or delete");
    }
    grant.actions.insert(*found);
    if (comma == std::string_view::npos) return grant;
    names.remove_prefix(comma + 1);
  }
}

Result<void> CheckGrant(const Grant& grant, SubjectKind kind) {
  const std::string text = ToString(grant);
  if (grant.actions.contains(Action::kAdmin)) {
    return BadGrant(text,
                    "users cannot have 'admin'; issue an administrator certificate "
                    "('outportctl cert issue NAME --role admin')");
  }
  if (kind == SubjectKind::kAnonymous && grant.actions != std::set{Action::kPull}) {
    return BadGrant(text, "'anonymous' may only pull");
  }
  TRY_VOID(CheckPattern(text, grant.pattern));
  std::string_view rest = grant.pattern;
  for (;;) {
    const size_t slash = rest.find('/');
    const std::string level(rest.substr(0, slash));
    if (!SomeNameMatches(level)) {
      return BadGrant(text,
                      "no repository name can have the level '" + level +
                          "'; a level has letters and digits, separated by '.', '_', '__' or '-'");
    }
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

std::string ToString(const Grant& grant) {
  std::string text;
  for (const Action action : grant.actions) {
    if (!text.empty()) text += ',';
    text += ToString(action);
  }
  return text + ":" + grant.pattern;
}

std::string ToString(const std::vector<Grant>& grants) {
  std::string text;
  for (const Grant& grant : grants) text += (text.empty() ? "" : " ") + ToString(grant);
  return text.empty() ? "none" : text;
}

// On a mismatch, only the last star takes one more character. Earlier stars never need to change:
// the last star can match any text that they could match.
bool MatchesName(std::string_view glob, std::string_view name) {
  size_t at = 0;
  size_t star = std::string_view::npos;
  size_t after_star = 0;  // the position in `name` after the characters that the star matches
  size_t in_name = 0;
  while (in_name < name.size()) {
    if (at < glob.size() && glob[at] == '*') {
      star = at++;
      after_star = in_name;
    } else if (at < glob.size() && glob[at] == name[in_name]) {
      ++at;
      ++in_name;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      in_name = ++after_star;
    } else {
      return false;
    }
  }
  return glob.find_first_not_of('*', at) == std::string_view::npos;
}

std::string ToString(const Subject& subject) {
  switch (subject.kind) {
    case SubjectKind::kUser:
      return "user:" + subject.name;
    case SubjectKind::kGroup:
      return "group:" + subject.name;
    case SubjectKind::kCertificate:
      return "certificate:" + subject.name;
    case SubjectKind::kAnonymous:
      break;
  }
  return "anonymous";
}

Result<Subject> ParseSubject(std::string_view text) {
  if (text == "anonymous") return Subject{SubjectKind::kAnonymous, {}};
  constexpr std::array kKinds = {SubjectKind::kUser, SubjectKind::kGroup,
                                 SubjectKind::kCertificate};
  for (const SubjectKind kind : kKinds) {
    const std::string prefix = ToString(Subject{kind, {}});
    if (!text.starts_with(prefix)) continue;
    TRY(std::string name, ParseSubjectName(text.substr(prefix.size())));
    return Subject{kind, std::move(name)};
  }
  return Error{
      ErrorCode::kInvalidArgument,
      "'" + std::string(text.substr(0, 128)) +
          "' is not a valid subject; write user:NAME, group:NAME, certificate:NAME or anonymous"};
}

}  // namespace outport
