#pragma once

#include <string>

#include "outport/v1/access.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "store/admin/admin_gate.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// What administrators ask about who may do what (access.proto). Every method checks that its caller
// shows an administrator's certificate. Safe for gRPC's threads: what blocks runs on the pool.
class AccessService final : public v1::Access::CallbackService {
 public:
  // What it borrows outlives the server.
  struct Parts {
    Fleet& fleet;
    BlockingPool& pool;
    const Clock& clock;
    std::string domain;
  };
  explicit AccessService(Parts parts);
  ~AccessService() override;

  grpc::ServerUnaryReactor* UpdateUser(grpc::CallbackServerContext* context,
                                       const v1::UpdateUserRequest* request,
                                       v1::ChangedResponse* response) override;
  grpc::ServerUnaryReactor* AddGrant(grpc::CallbackServerContext* context,
                                     const v1::GrantRequest* request,
                                     v1::ChangedResponse* response) override;
  grpc::ServerUnaryReactor* RemoveGrant(grpc::CallbackServerContext* context,
                                        const v1::GrantRequest* request,
                                        v1::ChangedResponse* response) override;
  grpc::ServerUnaryReactor* ListGrants(grpc::CallbackServerContext* context,
                                       const v1::ListGrantsRequest* request,
                                       v1::ListGrantsResponse* response) override;
  grpc::ServerUnaryReactor* Explain(grpc::CallbackServerContext* context,
                                    const v1::ExplainRequest* request,
                                    v1::ExplainResponse* response) override;
  grpc::ServerUnaryReactor* RevokeCertificate(grpc::CallbackServerContext* context,
                                              const v1::RevokeCertificateRequest* request,
                                              v1::RevokeCertificateResponse* response) override;

 private:
  AdministratorsGate Gate() const {
    return {parts_.domain, parts_.fleet.follower.directory(), parts_.pool};
  }
  // Why a node does not know the user; empty: it does.
  Result<std::string> WhyUnknownAt(const NodePermissions& node, const v1::NodeRow& row,
                                   const std::string& user) const;
  Result<v1::ExplainResponse> Explained(const v1::ExplainRequest& request) const;

  const Parts parts_;
};

}  // namespace outport::store
