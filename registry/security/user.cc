#include "registry/security/user.h"

#include <algorithm>
#include <array>
#include <bitset>

namespace outport {
namespace {

constexpr size_t kMaxPatternBytes = 255;  // as long as a repository's name
constexpr std::string_view kEverything = "**";
constexpr std::array kActions = {Action::kPull, Action::kPush, Action::kDelete, Action::kAdmin};

bool IsPatternCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-' ||
         c == '/' || c == '*';
}

Error BadGrant(std::string_view text, std::string_view why) {
  return Error{ErrorCode::kInvalidArgument, "'" + std::string(text.substr(0, 300)) +
                                                "' is no grant: " + std::string(why) +
                                                "; write pull,push:team/** or the like"};
}

Result<void> CheckPattern(std::string_view text, std::string_view pattern) {
  if (pattern.empty() || pattern.size() > kMaxPatternBytes) {
    return BadGrant(text, "its pattern is empty or longer than 255 bytes");
  }
  if (!std::ranges::all_of(pattern, IsPatternCharacter)) {
    return BadGrant(text, "its pattern has other characters than a-z 0-9 . _ - / *");
  }
  if (pattern.front() == '/' || pattern.back() == '/' || pattern.contains("//") ||
      pattern.contains("***")) {
    return BadGrant(text, "its pattern begins or ends with '/', or has '//' or '***'");
  }
  return {};
}

// A star stands for anything, so a level with stars matches some name exactly if the level does in
// which each is a letter: a star can always make a word of what stands beside it.
bool SomeNameMatches(std::string level) {
  std::ranges::replace(level, '*', 'a');
  return RepositoryName::Parse(level).has_value();
}

// Which beginnings of the pattern match what was read so far: bit i stands for the first i bytes.
using Matched = std::bitset<kMaxPatternBytes + 1>;

// A run of stars may match nothing: what matches before it matches behind it.
void SkipStars(std::string_view pattern, Matched& matched) {
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (matched[i] && pattern[i] == '*') matched.set(i + 1);
  }
}

bool IsDeep(std::string_view pattern, size_t star) {
  return (star + 1 < pattern.size() && pattern[star + 1] == '*') ||
         (star > 0 && pattern[star - 1] == '*');
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
                      "'" + std::string(name.substr(0, 64)) + "' is none of pull, push, delete");
    }
    grant.actions.insert(*found);
    if (comma == std::string_view::npos) return grant;
    names.remove_prefix(comma + 1);
  }
}

Result<void> CheckUserGrant(const Grant& grant) {
  const std::string text = ToString(grant);
  if (grant.actions.contains(Action::kAdmin)) {
    return BadGrant(text,
                    "users have no 'admin'; administrators have certificates ('outportctl cert "
                    "issue NAME --role admin')");
  }
  TRY_VOID(CheckPattern(text, grant.pattern));
  std::string_view rest = grant.pattern;
  for (;;) {
    const size_t slash = rest.find('/');
    const std::string level(rest.substr(0, slash));
    if (!SomeNameMatches(level)) {
      return BadGrant(text, "no repository's name has a level like '" + level +
                                "': letters and digits, between them '.', '_', '__' or '-'");
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

// Follows all ways through the pattern at once, so that no pattern takes longer than its length
// times the name's.
bool MatchesPattern(std::string_view pattern, std::string_view repository) {
  if (pattern == kEverything) return true;
  const size_t literal = pattern.find('*');
  if (literal == std::string_view::npos) return pattern == repository;
  if (pattern.size() > kMaxPatternBytes || !repository.starts_with(pattern.substr(0, literal))) {
    return false;
  }
  Matched matched;
  matched.set(literal);
  SkipStars(pattern, matched);
  for (const char c : repository.substr(literal)) {
    Matched next;
    for (size_t i = literal; i < pattern.size(); ++i) {
      if (!matched[i]) continue;
      if (pattern[i] == '*') {
        if (c != '/' || IsDeep(pattern, i)) next.set(i);
      } else if (pattern[i] == c) {
        next.set(i + 1);
      }
    }
    SkipStars(pattern, next);
    if (next.none()) return false;
    matched = next;
  }
  return matched[pattern.size()];
}

bool User::Allows(Action action, const RepositoryName& repository) const {
  return std::ranges::any_of(grants, [&](const Grant& grant) {
    return grant.actions.contains(action) && MatchesPattern(grant.pattern, repository.ToString());
  });
}

Result<void> RequireGrant(const User& user, Action action, const RepositoryName& repository) {
  if (user.Allows(action, repository)) return {};
  return Error{ErrorCode::kDenied, "user '" + user.name + "' has no grant to " +
                                       std::string(ToString(action)) + " in '" +
                                       repository.ToString() + "'; an administrator can give one"};
}

std::shared_ptr<const User> UserDirectory::Find(std::string_view name) const {
  const std::string key(name);
  MutexLock lock(mutex_);
  const auto found = users_.find(key);
  return found == users_.end() ? nullptr : found->second;
}

void UserDirectory::Set(User user) {
  auto shared = std::make_shared<const User>(std::move(user));
  MutexLock lock(mutex_);
  users_[shared->name] = shared;
}

void UserDirectory::Remove(std::string_view name) {
  MutexLock lock(mutex_);
  users_.erase(std::string(name));
}

void UserDirectory::ReplaceAll(std::vector<User> users) {
  std::unordered_map<std::string, std::shared_ptr<const User>> fresh;
  for (User& user : users) {
    auto shared = std::make_shared<const User>(std::move(user));
    fresh[shared->name] = shared;
  }
  MutexLock lock(mutex_);
  users_.swap(fresh);
}

}  // namespace outport
