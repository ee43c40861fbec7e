#include "store/admin/retention_service.h"

#include <utility>

namespace outport::store {

RetentionService::RetentionService(Parts parts) : parts_(std::move(parts)) {}
RetentionService::~RetentionService() = default;

grpc::ServerUnaryReactor* RetentionService::ApplyPolicies(grpc::CallbackServerContext* context,
                                                          const v1::ApplyPoliciesRequest* request,
                                                          v1::AppliedPolicies* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.retention.Apply(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* RetentionService::GetPolicies(grpc::CallbackServerContext* context,
                                                        const v1::GetPoliciesRequest* /*request*/,
                                                        v1::AppliedPolicies* response) {
  auto serve = [this](const Administrator&) { return parts_.retention.Get(); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* RetentionService::GetPlan(grpc::CallbackServerContext* context,
                                                    const v1::GetRetentionPlanRequest* request,
                                                    v1::RetentionPlan* response) {
  auto serve = [this, request](const Administrator&) { return parts_.retention.GetPlan(*request); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* RetentionService::StartRun(grpc::CallbackServerContext* context,
                                                     const v1::StartRetentionRequest* request,
                                                     v1::RunRow* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.retention.StartRun(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

}  // namespace outport::store
