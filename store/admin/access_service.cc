#include "store/admin/access_service.h"

#include <utility>

namespace outport::store {

AccessService::AccessService(Parts parts)
    : parts_(std::move(parts)),
      users_(parts_.fleet),
      grants_(parts_.fleet, parts_.clock),
      certificates_(parts_.fleet) {}
AccessService::~AccessService() = default;

grpc::ServerUnaryReactor* AccessService::UpdateUser(grpc::CallbackServerContext* context,
                                                    const v1::UpdateUserRequest* request,
                                                    v1::ChangedResponse* response) {
  return parts_.gate.Serve(context, request, response, users_, &UserVerbs::Update);
}

grpc::ServerUnaryReactor* AccessService::AddGrant(grpc::CallbackServerContext* context,
                                                  const v1::GrantRequest* request,
                                                  v1::ChangedResponse* response) {
  return parts_.gate.Serve(context, request, response, grants_, &GrantVerbs::Add);
}

grpc::ServerUnaryReactor* AccessService::RemoveGrant(grpc::CallbackServerContext* context,
                                                     const v1::GrantRequest* request,
                                                     v1::ChangedResponse* response) {
  return parts_.gate.Serve(context, request, response, grants_, &GrantVerbs::Remove);
}

grpc::ServerUnaryReactor* AccessService::ListGrants(grpc::CallbackServerContext* context,
                                                    const v1::ListGrantsRequest* request,
                                                    v1::ListGrantsResponse* response) {
  return parts_.gate.Serve(context, request, response, grants_, &GrantVerbs::List);
}

grpc::ServerUnaryReactor* AccessService::Explain(grpc::CallbackServerContext* context,
                                                 const v1::ExplainRequest* request,
                                                 v1::ExplainResponse* response) {
  return parts_.gate.Serve(context, request, response, grants_, &GrantVerbs::Explain);
}

grpc::ServerUnaryReactor* AccessService::RevokeCertificate(
    grpc::CallbackServerContext* context, const v1::RevokeCertificateRequest* request,
    v1::RevokeCertificateResponse* response) {
  return parts_.gate.Serve(context, request, response, certificates_, &CertificateVerbs::Revoke);
}

}  // namespace outport::store
