#pragma once

#include "outport/v1/content.grpc.pb.h"
#include "registry/base/task_group.h"
#include "store/admin/admin_gate.h"
#include "store/admin/tag_verbs.h"
#include "store/admin/upload_verbs.h"
#include "store/content/repository_content.h"
#include "store/uploads/uploads.h"

namespace outport::store {

// Serves the RPCs of content.proto: administrators list and restore tags, protect tags, and list
// and cancel uploads. AdminGate admits the callers and runs the methods on its pool. Safe for
// gRPC's threads.
class ContentService final : public v1::Content::CallbackService {
 public:
  // The objects that the members refer to outlive the server.
  struct Parts {
    AdminGate gate;
    Content& content;
    Uploads& uploads;
    TaskGroup& tasks;
  };
  explicit ContentService(Parts parts);
  ~ContentService() override;

  grpc::ServerUnaryReactor* ListTagHistory(grpc::CallbackServerContext* context,
                                           const v1::ListTagHistoryRequest* request,
                                           v1::ListTagHistoryResponse* response) override;
  grpc::ServerUnaryReactor* RestoreTag(grpc::CallbackServerContext* context,
                                       const v1::RestoreTagRequest* request,
                                       v1::RestoreTagResponse* response) override;
  grpc::ServerUnaryReactor* SetTagRule(grpc::CallbackServerContext* context,
                                       const v1::SetTagRuleRequest* request,
                                       v1::SetTagRuleResponse* response) override;
  grpc::ServerUnaryReactor* RemoveTagRule(grpc::CallbackServerContext* context,
                                          const v1::RemoveTagRuleRequest* request,
                                          v1::RemoveTagRuleResponse* response) override;
  grpc::ServerUnaryReactor* ListTagRules(grpc::CallbackServerContext* context,
                                         const v1::ListTagRulesRequest* request,
                                         v1::ListTagRulesResponse* response) override;
  grpc::ServerUnaryReactor* ListUploads(grpc::CallbackServerContext* context,
                                        const v1::ListUploadsRequest* request,
                                        v1::ListUploadsResponse* response) override;
  grpc::ServerUnaryReactor* CancelUpload(grpc::CallbackServerContext* context,
                                         const v1::AdminCancelUploadRequest* request,
                                         v1::AdminCancelUploadResponse* response) override;

 private:
  const Parts parts_;
  const TagVerbs tags_;
  const UploadVerbs uploads_;
};

}  // namespace outport::store
