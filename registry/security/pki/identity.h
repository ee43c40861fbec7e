#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport {

// The role of a certificate of the fleet: the first path element of its URI SAN,
// spiffe://<domain>/<role>/<name>.
enum class Role { kClient, kNode, kAdmin, kStore };
std::string_view ToString(Role role);  // "client"
Result<Role> ParseRole(std::string_view text);

// The name of a user, a node or a certificate: [a-z0-9]([a-z0-9._-]*[a-z0-9])?, at most 64 bytes.
// kInvalidArgument names the text and the rule.
Result<std::string> ParseSubjectName(std::string_view text);

// The prefix of names from certificates of other authorities than the fleet's: "foreign:build-7".
// No name of the fleet can contain it.
inline constexpr std::string_view kForeignPrefix = "foreign:";

// The holder that a certificate names.
struct CertificateIdentity {
  std::string domain;
  Role role = Role::kClient;
  std::string name;
  std::string serial;         // lowercase hex
  std::string issuer_key_id;  // lowercase hex of the authority key identifier
  std::chrono::system_clock::time_point not_after = std::chrono::system_clock::time_point::max();
};

// "spiffe://outport/node/eu-west".
std::string ToSpiffeId(std::string_view domain, Role role, std::string_view name);
// Fills domain, role and name alone.
Result<CertificateIdentity> ParseSpiffeId(std::string_view uri);

enum class Action { kPull, kPush, kDelete, kAdmin };
std::string_view ToString(Action action);

}  // namespace outport
