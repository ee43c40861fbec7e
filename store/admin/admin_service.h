#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "outport/v1/admin.grpc.pb.h"
#include "registry/base/file.h"
#include "registry/storage/meta_store.h"
#include "store/admin/admin_gate.h"
#include "store/admin/certificate_verbs.h"
#include "store/admin/node_verbs.h"
#include "store/admin/user_verbs.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Serves the RPCs of admin.proto: users, certificates, nodes and the store's status. AdminGate
// admits the callers and runs the methods on its pool. Safe for gRPC's threads.
class AdminService final : public v1::Admin::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Fleet& fleet;
    MetaStore& meta;
    FileSystem& files;
    std::string epoch;
    std::string version;
    std::filesystem::path data;  // the data folder
    int64_t started_ms = 0;      // Unix time
    // Returns the state of the change log. May block.
    std::function<Result<v1::ChangeLogInfo>()> change_log = [] { return v1::ChangeLogInfo(); };
    // Returns the reasons and warnings of the readiness check. Must not block.
    std::function<std::vector<std::string>()> warnings = [] { return std::vector<std::string>(); };
  };
  explicit AdminService(Parts parts);
  ~AdminService() override;

  grpc::ServerUnaryReactor* AddUser(grpc::CallbackServerContext* context,
                                    const v1::AddUserRequest* request,
                                    v1::AddUserResponse* response) override;
  grpc::ServerUnaryReactor* ListUsers(grpc::CallbackServerContext* context,
                                      const v1::ListUsersRequest* request,
                                      v1::ListUsersResponse* response) override;
  grpc::ServerUnaryReactor* RemoveUser(grpc::CallbackServerContext* context,
                                       const v1::RemoveUserRequest* request,
                                       v1::RemoveUserResponse* response) override;
  grpc::ServerUnaryReactor* IssueCertificate(grpc::CallbackServerContext* context,
                                             const v1::IssueCertificateRequest* request,
                                             v1::IssueCertificateResponse* response) override;
  grpc::ServerUnaryReactor* ListCertificates(grpc::CallbackServerContext* context,
                                             const v1::ListCertificatesRequest* request,
                                             v1::ListCertificatesResponse* response) override;
  grpc::ServerUnaryReactor* GetCertificate(grpc::CallbackServerContext* context,
                                           const v1::GetCertificateRequest* request,
                                           v1::CertificateInfo* response) override;
  grpc::ServerUnaryReactor* GetAuthorities(grpc::CallbackServerContext* context,
                                           const v1::GetAuthoritiesRequest* request,
                                           v1::GetAuthoritiesResponse* response) override;
  grpc::ServerUnaryReactor* InviteNode(grpc::CallbackServerContext* context,
                                       const v1::InviteNodeRequest* request,
                                       v1::InviteNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetNode(grpc::CallbackServerContext* context,
                                    const v1::GetNodeRequest* request,
                                    v1::NodeInfo* response) override;
  grpc::ServerUnaryReactor* SetNode(grpc::CallbackServerContext* context,
                                    const v1::SetNodeRequest* request,
                                    v1::SetNodeResponse* response) override;
  grpc::ServerUnaryReactor* ListNodes(grpc::CallbackServerContext* context,
                                      const v1::ListNodesRequest* request,
                                      v1::ListNodesResponse* response) override;
  grpc::ServerUnaryReactor* RemoveNode(grpc::CallbackServerContext* context,
                                       const v1::RemoveNodeRequest* request,
                                       v1::RemoveNodeResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* context,
                                      const v1::GetStatusRequest* request,
                                      v1::GetStatusResponse* response) override;

 private:
  Result<v1::GetStatusResponse> Status() const;

  const Parts parts_;
  const UserVerbs users_;
  const CertificateVerbs certificates_;
  const NodeVerbs nodes_;
};

}  // namespace outport::store
