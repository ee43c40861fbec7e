#pragma once

#include "outport/v1/authority.grpc.pb.h"
#include "store/admin/admin_gate.h"
#include "store/fleet/rotation.h"

namespace outport::store {

// Serves the RPCs of authority.proto: administrators rotate the fleet's CAs. AdminGate admits the
// callers and runs the methods on its pool. Safe for gRPC's threads.
class AuthorityService final : public v1::Authorities::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Rotation& rotation;
  };
  explicit AuthorityService(Parts parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* GetRotation(grpc::CallbackServerContext* context,
                                        const v1::GetRotationRequest* request,
                                        v1::Rotation* response) override;
  grpc::ServerUnaryReactor* PrepareRotation(grpc::CallbackServerContext* context,
                                            const v1::PrepareRotationRequest* request,
                                            v1::PrepareRotationResponse* response) override;
  grpc::ServerUnaryReactor* StartRotation(grpc::CallbackServerContext* context,
                                          const v1::StartRotationRequest* request,
                                          v1::Rotation* response) override;
  grpc::ServerUnaryReactor* AdvanceRotation(grpc::CallbackServerContext* context,
                                            const v1::AdvanceRotationRequest* request,
                                            v1::Rotation* response) override;
  grpc::ServerUnaryReactor* UndoRotation(grpc::CallbackServerContext* context,
                                         const v1::UndoRotationRequest* request,
                                         v1::Rotation* response) override;

 private:
  const Parts parts_;
};

}  // namespace outport::store
