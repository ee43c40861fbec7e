#include "registry/security/pki/identity.h"

#include <algorithm>
#include <array>
#include <utility>

namespace outport {
namespace {

constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMaxDomainBytes = 255;
constexpr std::string_view kScheme = "spiffe://";

constexpr std::array kRoles = {Role::kClient, Role::kNode, Role::kAdmin, Role::kStore};

bool IsAlphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool IsName(std::string_view text, size_t limit) {
  const auto allowed = [](char c) { return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-'; };
  return !text.empty() && text.size() <= limit && IsAlphanumeric(text.front()) &&
         IsAlphanumeric(text.back()) && std::ranges::all_of(text, allowed);
}

}  // namespace

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kClient:
      return "client";
    case Role::kNode:
      return "node";
    case Role::kAdmin:
      return "admin";
    case Role::kStore:
      return "store";
  }
  std::unreachable();
}

Result<Role> ParseRole(std::string_view text) {
  for (const Role role : kRoles) {
    if (ToString(role) == text) return role;
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + std::string(text) + "' is not a role; choose client, node, admin or store"};
}

Result<std::string> ParseSubjectName(std::string_view text) {
  if (IsName(text, kMaxNameBytes)) return std::string(text);
  return Error{
      ErrorCode::kInvalidArgument,
      "'" + std::string(text.substr(0, 2 * kMaxNameBytes)) +
          "' is not a valid name; use 1 to 64 characters of a-z, 0-9, '.', '_' and '-', with a "
          "letter or a digit at both ends"};
}

std::string ToSpiffeId(std::string_view domain, Role role, std::string_view name) {
  std::string id(kScheme);
  return id.append(domain).append("/").append(ToString(role)).append("/").append(name);
}

Result<CertificateIdentity> ParseSpiffeId(std::string_view uri) {
  const auto reject = [uri] {
    return Error{ErrorCode::kInvalidArgument,
                 "'" + std::string(uri.substr(0, 512)) +
                     "' does not have the form spiffe://DOMAIN/ROLE/NAME"};
  };
  if (!uri.starts_with(kScheme)) return reject();
  const std::string_view path = uri.substr(kScheme.size());
  const size_t first = path.find('/');
  if (first == std::string_view::npos) return reject();
  const size_t second = path.find('/', first + 1);
  if (second == std::string_view::npos) return reject();
  const std::string_view domain = path.substr(0, first);
  const Result<Role> role = ParseRole(path.substr(first + 1, second - first - 1));
  const Result<std::string> name = ParseSubjectName(path.substr(second + 1));
  if (!IsName(domain, kMaxDomainBytes) || !role.has_value() || !name.has_value()) return reject();
  CertificateIdentity identity;
  identity.domain = std::string(domain);
  identity.role = *role;
  identity.name = *name;
  return identity;
}

std::string_view ToString(Action action) {
  switch (action) {
    case Action::kPull:
      return "pull";
    case Action::kPush:
      return "push";
    case Action::kDelete:
      return "delete";
    case Action::kAdmin:
      return "admin";
  }
  std::unreachable();
}

}  // namespace outport
