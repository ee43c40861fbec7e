#include "store/admin/admin_service.h"

#include <optional>
#include <utility>

#include "store/admin/paging.h"
#include "store/fleet/node_scope.h"

namespace outport::store {
namespace {

v1::UserInfo Describe(const v1::UserRow& row, bool with_hash) {
  v1::UserInfo info;
  info.set_name(row.name());
  *info.mutable_grants() = row.grants();
  info.set_created_ms(row.created_ms());
  *info.mutable_groups() = row.groups();
  info.set_expires_ms(row.expires_ms());
  *info.mutable_only_from() = row.only_from();
  info.set_disabled(row.disabled());
  info.set_source(row.source());
  if (with_hash) info.set_password_hash(row.password_hash());
  return info;
}

}  // namespace

AdminService::AdminService(Parts parts) : parts_(std::move(parts)) {}
AdminService::~AdminService() = default;

grpc::ServerUnaryReactor* AdminService::AddUser(grpc::CallbackServerContext* context,
                                                const v1::AddUserRequest* request,
                                                v1::AddUserResponse* response) {
  auto serve = [this, request](const Administrator& caller) -> Result<v1::AddUserResponse> {
    v1::UserRow row;
    row.set_name(request->name());
    row.set_password_hash(request->password_hash());
    *row.mutable_grants() = request->grants();
    *row.mutable_groups() = request->groups();
    row.set_expires_ms(request->expires_ms());
    *row.mutable_only_from() = request->only_from();
    row.set_disabled(request->disabled());
    v1::AddUserResponse answer;
    TRY(const uint64_t sequence, parts_.fleet.users.Add(row, caller.actor));
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListUsers(grpc::CallbackServerContext* context,
                                                  const v1::ListUsersRequest* request,
                                                  v1::ListUsersResponse* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::ListUsersResponse> {
    const v1::PageOf& asked = request->page();
    std::optional<NodeScope> scope;
    if (!request->for_node().empty()) {
      TRY(const v1::NodeRow node, parts_.fleet.members.Find(request->for_node()));
      scope.emplace(PermissionsOf(node));
    }
    TRY(const Users::Page page, parts_.fleet.users.List(asked.after(), LimitOf(asked)));
    v1::ListUsersResponse answer;
    for (const v1::UserRow& row : page.rows) {
      if (scope.has_value()) {
        TRY(const bool known, scope->Knows(row, parts_.meta));
        if (!known) continue;
      }
      *answer.add_users() = store::Describe(row, request->with_password_hashes());
    }
    if (page.more) answer.set_next(page.rows.back().name());
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::RemoveUser(grpc::CallbackServerContext* context,
                                                   const v1::RemoveUserRequest* request,
                                                   v1::RemoveUserResponse* response) {
  auto serve = [this, request](const Administrator& caller) -> Result<v1::RemoveUserResponse> {
    v1::RemoveUserResponse answer;
    TRY(const uint64_t sequence, parts_.fleet.users.Remove(request->name(), caller.actor));
    answer.set_sequence(sequence);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::IssueCertificate(grpc::CallbackServerContext* context,
                                                         const v1::IssueCertificateRequest* request,
                                                         v1::IssueCertificateResponse* response) {
  auto serve = [this,
                request](const Administrator& caller) -> Result<v1::IssueCertificateResponse> {
    TRY(const Role role, ParseRole(request->role()));
    TRY(const Certificates::Issued issued,
        parts_.fleet.certificates.Issue(role, request->name(), request->request(), request->days(),
                                        caller.actor));
    v1::IssueCertificateResponse answer;
    answer.set_certificate(issued.chain);
    answer.set_authorities(issued.authorities);
    *answer.mutable_row() = issued.row;
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::ListCertificates(grpc::CallbackServerContext* context,
                                                         const v1::ListCertificatesRequest* request,
                                                         v1::ListCertificatesResponse* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::ListCertificatesResponse> {
    const v1::PageOf& asked = request->page();
    TRY(const Certificates::Page page,
        parts_.fleet.certificates.List(asked.after(), LimitOf(asked)));
    v1::ListCertificatesResponse answer;
    for (const v1::CertificateInfo& one : page.certificates) *answer.add_certificates() = one;
    answer.set_next(page.next);
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetCertificate(grpc::CallbackServerContext* context,
                                                       const v1::GetCertificateRequest* request,
                                                       v1::CertificateInfo* response) {
  auto serve = [this, request](const Administrator&) -> Result<v1::CertificateInfo> {
    return parts_.fleet.certificates.Find(request->serial());
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetAuthorities(grpc::CallbackServerContext* context,
                                                       const v1::GetAuthoritiesRequest* /*request*/,
                                                       v1::GetAuthoritiesResponse* response) {
  auto serve = [this](const Administrator&) -> Result<v1::GetAuthoritiesResponse> {
    v1::GetAuthoritiesResponse answer;
    const auto standing = parts_.fleet.authorities.Now();
    answer.set_root(standing->signer.root.certificate);
    answer.set_issuing(standing->signer.issuing.certificate);
    std::error_code ignored;
    const std::filesystem::path root_key = parts_.data / "pki" / "root.key";
    answer.set_root_key_here(std::filesystem::exists(root_key, ignored));
    return answer;
  };
  return ServeAdministrator(Gate(), context, response, serve);
}

grpc::ServerUnaryReactor* AdminService::GetStatus(grpc::CallbackServerContext* context,
                                                  const v1::GetStatusRequest* /*request*/,
                                                  v1::GetStatusResponse* response) {
  return ServeAdministrator(Gate(), context, response,
                            [this](const Administrator&) { return Status(); });
}

// The first nodes by name, as many as a page holds: ListNodes has the others.
Result<v1::GetStatusResponse> AdminService::Status() const {
  v1::GetStatusResponse answer;
  answer.set_version(parts_.version);
  answer.set_epoch(parts_.identity.epoch);
  answer.set_started_ms(parts_.started_ms);
  TRY(const LogPosition head, parts_.meta.Head());
  answer.set_head_sequence(head.sequence);
  TRY(const uint64_t free_bytes, parts_.files.FreeBytes(parts_.data));
  answer.set_free_bytes(free_bytes);
  TRY(const Invitations::NodePage page, parts_.fleet.invitations.ListNodes("", kMaxPageOfRows));
  for (const v1::NodeRow& row : page.rows) *answer.add_nodes() = Describe(row);
  TRY(const std::string chain, ReadWholeFile(parts_.data / "pki" / "server.crt"));
  TRY(const CertificateIdentity server, pki::Inspect(chain));
  answer.set_server_certificate_name(server.name);
  TRY(const auto not_after, pki::NotAfter(chain));
  answer.set_server_certificate_not_after_ms(ToUnixMillis(not_after));
  for (std::string& warning : parts_.warnings()) answer.add_warnings(std::move(warning));
  return answer;
}

}  // namespace outport::store
