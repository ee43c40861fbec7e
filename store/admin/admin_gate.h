#pragma once

#include <grpcpp/server_context.h>

#include <string>
#include <string_view>
#include <utility>

#include "registry/base/blocking_pool.h"
#include "registry/base/result.h"
#include "registry/rpc/unary.h"
#include "registry/security/grants/access_directory.h"
#include "store/fleet/administrator.h"

namespace outport::store {

// kUnauthorized, kDenied unless the caller shows an administrator's certificate of `domain`, one
// that was not revoked.
Result<Administrator> RequireAdministrator(const grpc::ServerContextBase& context,
                                           std::string_view domain,
                                           const AccessDirectory& directory);

// What a service for administrators needs to know them, and to serve them. All of it outlives them.
struct AdministratorsGate {
  const std::string& domain;
  const AccessDirectory& directory;
  BlockingPool& pool;
};
// Runs `serve(administrator)`, which returns a Result<Response>, on the pool; refuses other callers
// before that.
template <class Response, class Serve>
grpc::ServerUnaryReactor* ServeAdministrator(const AdministratorsGate& gate,
                                             grpc::CallbackServerContext* context,
                                             Response* response, Serve serve) {
  auto caller = RequireAdministrator(*context, gate.domain, gate.directory);
  if (!caller.has_value()) return rpc::Refuse(context, caller.error());
  auto run = [caller = *std::move(caller), serve = std::move(serve)]() -> Result<Response> {
    return serve(caller);
  };
  return rpc::ServeBlocking(context, gate.pool, response, std::move(run));
}

// The address in what gRPC says of a peer: "10.0.0.1" of "ipv4:10.0.0.1:4711", "::1" of
// "ipv6:%5B::1%5D:4711".
std::string AddressOfPeer(std::string_view peer);

}  // namespace outport::store
