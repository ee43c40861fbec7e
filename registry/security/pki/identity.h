#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"

namespace outport {

// What a certificate of the fleet may be used as: the first path element of its URI SAN,
// spiffe://<domain>/<role>/<name>.
enum class Role { kClient, kNode, kAdmin, kStore };
std::string_view ToString(Role role);  // "client"
Result<Role> ParseRole(std::string_view text);

// [a-z0-9]([a-z0-9._-]*[a-z0-9])?, at most 64 bytes: users, nodes, certificates.
// kInvalidArgument names the text and the rule.
Result<std::string> ParseSubjectName(std::string_view text);

// Stands before the name of a holder whom another authority than the fleet's vouches for; no name
// of the fleet has it: "foreign:build-7".
inline constexpr std::string_view kForeign = "foreign:";

// Who a certificate says its holder is.
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
Result<CertificateIdentity> ParseSpiffeId(std::string_view uri);  // what its issuer says left out

enum class Action { kPull, kPush, kDelete, kAdmin };
std::string_view ToString(Action action);

}  // namespace outport
