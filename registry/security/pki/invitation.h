#pragma once

#include <string>
#include <string_view>

#include "registry/base/result.h"

namespace outport {

// The token that `outportctl node invite` prints and `outport-node join` reads. It is one word:
// "outport1." and its parts in base64url. Until a node has used it, protect it like a password.
struct InvitationToken {
  std::string store_address;     // host:port of the store's fleet port
  std::string root_fingerprint;  // lowercase hex SHA-256 of the fleet's root certificate
  std::string node;              // the name that the new node gets
  std::string secret;            // 256 random bits, hex

  std::string Encode() const;
  // kInvalidArgument if the text is not a token, or if its checksum shows that it was truncated or
  // altered.
  static Result<InvitationToken> Decode(std::string_view text);
};

// Returns the hash that the store keeps instead of the secret.
std::string HashInvitationSecret(std::string_view secret);

}  // namespace outport
