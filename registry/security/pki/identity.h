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

// Checks the name of a user, a node or a certificate: [a-z0-9]([a-z0-9._-]*[a-z0-9])?, at most 64
// bytes. kInvalidArgument names `text` and the rule.
Result<std::string> ParseSubjectName(std::string_view text);

// The prefix of a holder's name if an authority outside the fleet issued the certificate:
// "foreign:build-7". No name in the fleet can contain it.
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

// Returns an id like "spiffe://outport/node/eu-west".
std::string ToSpiffeId(std::string_view domain, Role role, std::string_view name);
// Sets only the domain, role and name of the result.
Result<CertificateIdentity> ParseSpiffeId(std::string_view uri);

enum class Action { kPull, kPush, kDelete, kAdmin };
std::string_view ToString(Action action);

}  // namespace outport
