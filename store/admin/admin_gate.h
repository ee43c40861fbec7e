#pragma once

#include <grpcpp/server_context.h>

#include <string>
#include <type_traits>
#include <utility>

#include "registry/base/blocking_pool.h"
#include "registry/base/result.h"
#include "registry/rpc/unary.h"
#include "registry/security/grants/access_directory.h"
#include "store/fleet/administrator.h"

namespace outport::store {

// Admits administrators to a service, and serves their calls on a pool. `directory` and `pool`
// outlive the gate. Safe for gRPC's threads.
struct AdminGate {
  std::string domain;  // the domain of the fleet's certificates
  const AccessDirectory& directory;
  BlockingPool& pool;

  // Returns kUnauthorized or kDenied unless the caller has an administrator's certificate of the
  // domain and the certificate is not revoked. Does not block.
  Result<Administrator> Admit(const grpc::ServerContextBase& context) const;

  // Runs `serve(administrator)`, which returns a Result<Response>, on the pool. If the caller is no
  // administrator, ends the call at once, and queues nothing on the pool.
  template <class Response, class Function>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, Response* response,
                                  Function serve) const {
    Result<Administrator> by = Admit(*context);
    if (!by.has_value()) return rpc::Reject(context, by.error());
    auto run = [by = *std::move(by), serve = std::move(serve)]() -> Result<Response> {
      return serve(by);
    };
    return rpc::ServeBlocking(context, pool, response, std::move(run));
  }

  // Runs `verb`, a method of `verbs`, on the pool in the same way. `verbs` outlives the call. The
  // method takes (const Request&) or (const Request&, const Administrator&), and returns a
  // Result<Response>.
  template <class Request, class Response, class Verbs, class Verb>
  grpc::ServerUnaryReactor* Serve(grpc::CallbackServerContext* context, const Request* request,
                                  Response* response, const Verbs& verbs, Verb verb) const {
    auto serve = [request, &verbs, verb](const Administrator& by) -> Result<Response> {
      if constexpr (std::is_invocable_v<Verb, const Verbs&, const Request&, const Administrator&>) {
        return (verbs.*verb)(*request, by);
      } else {
        return (verbs.*verb)(*request);
      }
    };
    return Serve(context, response, serve);
  }
};

}  // namespace outport::store
