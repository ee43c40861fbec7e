#pragma once

#include <grpcpp/server_context.h>

#include <string_view>

#include "registry/base/result.h"
#include "registry/security/access_directory.h"
#include "store/auditor.h"

namespace outport::store {

// Who calls, as the audit log names him, and the certificate that says so.
struct Administrator {
  Actor actor;
  CertificateId certificate;
};
// kUnauthorized, kDenied unless the caller shows an administrator's certificate of `domain`, one
// that was not revoked.
Result<Administrator> RequireAdministrator(const grpc::ServerContextBase& context,
                                           std::string_view domain,
                                           const AccessDirectory& directory);

// The address in what gRPC says of a peer: "10.0.0.1" of "ipv4:10.0.0.1:4711", "::1" of
// "ipv6:%5B::1%5D:4711".
std::string AddressOfPeer(std::string_view peer);

}  // namespace outport::store
