#pragma once

#include "outport/v1/audit.grpc.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/admin/admin_gate.h"

namespace outport::store {

// Serves the RPCs of audit.proto: administrators search the audit log, and read the log's hashes to
// verify the log. AdminGate admits the callers and runs the methods on its pool. Safe for gRPC's
// threads.
class AuditService final : public v1::Audit::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    MetaStore& meta;
  };
  explicit AuditService(Parts parts);
  ~AuditService() override;

  grpc::ServerUnaryReactor* SearchAudit(grpc::CallbackServerContext* context,
                                        const v1::SearchAuditRequest* request,
                                        v1::SearchAuditResponse* response) override;
  grpc::ServerUnaryReactor* ReadAudit(grpc::CallbackServerContext* context,
                                      const v1::ReadAuditRequest* request,
                                      v1::ReadAuditResponse* response) override;

 private:
  Result<v1::SearchAuditResponse> Search(const v1::SearchAuditRequest& request) const;
  Result<v1::ReadAuditResponse> Read(const v1::ReadAuditRequest& request) const;

  const Parts parts_;
};

}  // namespace outport::store
