#pragma once

#include "outport/v1/retention.grpc.pb.h"
#include "store/admin/admin_gate.h"
#include "store/retention/retention.h"

namespace outport::store {

// Serves the RPCs of retention.proto: administrators apply policies, and plan and start runs.
// AdminGate admits the callers and runs the methods on its pool. Safe for gRPC's threads.
class RetentionService final : public v1::Retention::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Retention& retention;
  };
  explicit RetentionService(Parts parts);
  ~RetentionService() override;

  grpc::ServerUnaryReactor* ApplyPolicies(grpc::CallbackServerContext* context,
                                          const v1::ApplyPoliciesRequest* request,
                                          v1::AppliedPolicies* response) override;
  grpc::ServerUnaryReactor* GetPolicies(grpc::CallbackServerContext* context,
                                        const v1::GetPoliciesRequest* request,
                                        v1::AppliedPolicies* response) override;
  grpc::ServerUnaryReactor* GetPlan(grpc::CallbackServerContext* context,
                                    const v1::GetRetentionPlanRequest* request,
                                    v1::RetentionPlan* response) override;
  grpc::ServerUnaryReactor* StartRun(grpc::CallbackServerContext* context,
                                     const v1::StartRetentionRequest* request,
                                     v1::RunRow* response) override;

 private:
  const Parts parts_;
};

}  // namespace outport::store
