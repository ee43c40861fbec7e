#include "store/admin/authority_service.h"

namespace outport::store {

grpc::ServerUnaryReactor* AuthorityService::GetRotation(grpc::CallbackServerContext* context,
                                                        const v1::GetRotationRequest* /*request*/,
                                                        v1::Rotation* response) {
  auto serve = [this](const Administrator&) { return parts_.rotation.Get(); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* AuthorityService::PrepareRotation(
    grpc::CallbackServerContext* context, const v1::PrepareRotationRequest* request,
    v1::PrepareRotationResponse* response) {
  auto serve = [this, request](const Administrator&) { return parts_.rotation.Prepare(*request); };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* AuthorityService::StartRotation(grpc::CallbackServerContext* context,
                                                          const v1::StartRotationRequest* request,
                                                          v1::Rotation* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.rotation.Start(*request, by.actor);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* AuthorityService::AdvanceRotation(
    grpc::CallbackServerContext* context, const v1::AdvanceRotationRequest* request,
    v1::Rotation* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.rotation.Advance(*request, by);
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* AuthorityService::UndoRotation(grpc::CallbackServerContext* context,
                                                         const v1::UndoRotationRequest* request,
                                                         v1::Rotation* response) {
  auto serve = [this, request](const Administrator& by) {
    return parts_.rotation.Undo(*request, by);
  };
  return parts_.gate.Serve(context, response, serve);
}

}  // namespace outport::store
