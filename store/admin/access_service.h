#pragma once

#include "outport/v1/access.grpc.pb.h"
#include "registry/base/clock.h"
#include "store/admin/admin_gate.h"
#include "store/admin/certificate_verbs.h"
#include "store/admin/grant_verbs.h"
#include "store/admin/user_verbs.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Serves the RPCs of access.proto: administrators change users and grants, and revoke certificates.
// AdminGate admits the callers and runs the methods on its pool. Safe for gRPC's threads.
class AccessService final : public v1::Access::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Fleet& fleet;
    const Clock& clock;
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
  const Parts parts_;
  const UserVerbs users_;
  const GrantVerbs grants_;
  const CertificateVerbs certificates_;
};

}  // namespace outport::store
