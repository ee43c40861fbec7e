#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// What `outportctl node invite` prints and `outport-node join` takes: one word, "outport1." and
// base64url of its parts. The secret is as good as a password until it is used.
struct InvitationToken {
  std::string store_address;     // host:port of the fleet gRPC
  std::string root_fingerprint;  // lowercase hex SHA-256 of the fleet's root certificate
  std::string node;              // the name that the node will bear
  std::string secret;            // 256 random bits, hex

  std::string Encode() const;
  // kInvalidArgument if the text is no token, or was cut short (it carries a checksum).
  static Result<InvitationToken> Decode(std::string_view text);
};

// What the store keeps of a secret.
std::string HashInvitationSecret(std::string_view secret);

}  // namespace outport
