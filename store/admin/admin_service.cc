#include "store/admin/admin_service.h"

#include <utility>

#include "store/admin/paging.h"

namespace outport::store {

AdminService::AdminService(Parts parts)
    : parts_(std::move(parts)),
      users_(parts_.fleet),
      certificates_(parts_.fleet),
      nodes_(parts_.fleet) {}
AdminService::~AdminService() = default;

grpc::ServerUnaryReactor* AdminService::AddUser(grpc::CallbackServerContext* context,
                                                const v1::AddUserRequest* request,
                                                v1::AddUserResponse* response) {
  return parts_.gate.Serve(context, request, response, users_, &UserVerbs::Add);
}

grpc::ServerUnaryReactor* AdminService::ListUsers(grpc::CallbackServerContext* context,
                                                  const v1::ListUsersRequest* request,
                                                  v1::ListUsersResponse* response) {
  return parts_.gate.Serve(context, request, response, users_, &UserVerbs::List);
}

grpc::ServerUnaryReactor* AdminService::RemoveUser(grpc::CallbackServerContext* context,
                                                   const v1::RemoveUserRequest* request,
                                                   v1::RemoveUserResponse* response) {
  return parts_.gate.Serve(context, request, response, users_, &UserVerbs::Remove);
}

grpc::ServerUnaryReactor* AdminService::IssueCertificate(grpc::CallbackServerContext* context,
                                                         const v1::IssueCertificateRequest* request,
                                                         v1::IssueCertificateResponse* response) {
  return parts_.gate.Serve(context, request, response, certificates_, &CertificateVerbs::Issue);
}

grpc::ServerUnaryReactor* AdminService::ListCertificates(grpc::CallbackServerContext* context,
                                                         const v1::ListCertificatesRequest* request,
                                                         v1::ListCertificatesResponse* response) {
  return parts_.gate.Serve(context, request, response, certificates_, &CertificateVerbs::List);
}

grpc::ServerUnaryReactor* AdminService::GetCertificate(grpc::CallbackServerContext* context,
                                                       const v1::GetCertificateRequest* request,
                                                       v1::CertificateInfo* response) {
  return parts_.gate.Serve(context, request, response, certificates_, &CertificateVerbs::Get);
}

grpc::ServerUnaryReactor* AdminService::InviteNode(grpc::CallbackServerContext* context,
                                                   const v1::InviteNodeRequest* request,
                                                   v1::InviteNodeResponse* response) {
  return parts_.gate.Serve(context, request, response, nodes_, &NodeVerbs::Invite);
}

grpc::ServerUnaryReactor* AdminService::GetNode(grpc::CallbackServerContext* context,
                                                const v1::GetNodeRequest* request,
                                                v1::NodeInfo* response) {
  return parts_.gate.Serve(context, request, response, nodes_, &NodeVerbs::Get);
}

grpc::ServerUnaryReactor* AdminService::SetNode(grpc::CallbackServerContext* context,
                                                const v1::SetNodeRequest* request,
                                                v1::SetNodeResponse* response) {
  return parts_.gate.Serve(context, request, response, nodes_, &NodeVerbs::Set);
}

grpc::ServerUnaryReactor* AdminService::ListNodes(grpc::CallbackServerContext* context,
                                                  const v1::ListNodesRequest* request,
                                                  v1::ListNodesResponse* response) {
  return parts_.gate.Serve(context, request, response, nodes_, &NodeVerbs::List);
}

grpc::ServerUnaryReactor* AdminService::RemoveNode(grpc::CallbackServerContext* context,
                                                   const v1::RemoveNodeRequest* request,
                                                   v1::RemoveNodeResponse* response) {
  return parts_.gate.Serve(context, request, response, nodes_, &NodeVerbs::Remove);
}

grpc::ServerUnaryReactor* AdminService::GetAuthorities(grpc::CallbackServerContext* context,
                                                       const v1::GetAuthoritiesRequest* /*request*/,
                                                       v1::GetAuthoritiesResponse* response) {
  auto serve = [this](const Administrator&) -> Result<v1::GetAuthoritiesResponse> {
    v1::GetAuthoritiesResponse response;
    const auto trust = parts_.fleet.authorities.Current();
    response.set_root(trust->signer.root.certificate);
    response.set_issuing(trust->signer.issuing.certificate);
    std::error_code ignored;
    const std::filesystem::path root_key = parts_.data / "pki" / "root.key";
    response.set_root_key_at_store(std::filesystem::exists(root_key, ignored));
    return response;
  };
  return parts_.gate.Serve(context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest* /*request*/,
                                                  v1::GetStatusResponse* response) {
  return parts_.gate.Serve(context, response, [this](const Administrator&) { return Status(); });
}

// The status includes only the first page of nodes. ListNodes returns the other nodes.
Result<v1::GetStatusResponse> AdminService::Status() const {
  v1::GetStatusResponse response;
  response.set_version(parts_.version);
  response.set_epoch(parts_.epoch);
  response.set_started_ms(parts_.started_ms);
  TRY(const LogPosition head, parts_.meta.Head());
  response.set_head_sequence(head.sequence);
  TRY(*response.mutable_change_log(), parts_.change_log());
  TRY(const uint64_t free_bytes, parts_.files.FreeBytes(parts_.data));
  response.set_free_bytes(free_bytes);
  TRY(const RowPage<v1::NodeRow> page, parts_.fleet.members.List("", kMaxPageOfRows));
  for (const v1::NodeRow& row : page.rows) *response.add_nodes() = nodes_.Describe(row);
  TRY(const std::string chain, ReadWholeFile(parts_.data / "pki" / "server.crt"));
  TRY(const CertificateIdentity server, pki::Inspect(chain));
  response.set_server_certificate_name(server.name);
  TRY(const auto not_after, pki::NotAfter(chain));
  response.set_server_certificate_not_after_ms(ToUnixMillis(not_after));
  for (std::string& warning : parts_.warnings()) response.add_warnings(std::move(warning));
  return response;
}

}  // namespace outport::store
