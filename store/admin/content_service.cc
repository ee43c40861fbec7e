#include "store/admin/content_service.h"

#include <utility>

namespace outport::store {

ContentService::ContentService(Parts parts)
    : parts_(std::move(parts)), tags_(parts_.content), uploads_(parts_.uploads) {}
ContentService::~ContentService() = default;

grpc::ServerUnaryReactor* ContentService::ListTagHistory(grpc::CallbackServerContext* context,
                                                         const v1::ListTagHistoryRequest* request,
                                                         v1::ListTagHistoryResponse* response) {
  return parts_.gate.Serve(context, request, response, tags_, &TagVerbs::ListHistory);
}

grpc::ServerUnaryReactor* ContentService::RestoreTag(grpc::CallbackServerContext* context,
                                                     const v1::RestoreTagRequest* request,
                                                     v1::RestoreTagResponse* response) {
  return parts_.gate.Serve(context, request, response, tags_, &TagVerbs::Restore);
}

grpc::ServerUnaryReactor* ContentService::SetTagRule(grpc::CallbackServerContext* context,
                                                     const v1::SetTagRuleRequest* request,
                                                     v1::SetTagRuleResponse* response) {
  return parts_.gate.Serve(context, request, response, tags_, &TagVerbs::SetRule);
}

grpc::ServerUnaryReactor* ContentService::RemoveTagRule(grpc::CallbackServerContext* context,
                                                        const v1::RemoveTagRuleRequest* request,
                                                        v1::RemoveTagRuleResponse* response) {
  return parts_.gate.Serve(context, request, response, tags_, &TagVerbs::RemoveRule);
}

grpc::ServerUnaryReactor* ContentService::ListTagRules(grpc::CallbackServerContext* context,
                                                       const v1::ListTagRulesRequest* request,
                                                       v1::ListTagRulesResponse* response) {
  return parts_.gate.Serve(context, request, response, tags_, &TagVerbs::ListRules);
}

grpc::ServerUnaryReactor* ContentService::ListUploads(grpc::CallbackServerContext* context,
                                                      const v1::ListUploadsRequest* request,
                                                      v1::ListUploadsResponse* response) {
  return parts_.gate.Serve(context, request, response, uploads_, &UploadVerbs::List);
}

// The verb is a coroutine, so it runs as a task and not on the gate's pool.
grpc::ServerUnaryReactor* ContentService::CancelUpload(grpc::CallbackServerContext* context,
                                                       const v1::AdminCancelUploadRequest* request,
                                                       v1::AdminCancelUploadResponse* response) {
  Result<Administrator> by = parts_.gate.Admit(*context);
  if (!by.has_value()) return rpc::Reject(context, by.error());
  auto cancel = [this, request, by = *std::move(by)] { return uploads_.Cancel(*request, by); };
  return rpc::ServeTask(context, parts_.tasks, response, std::move(cancel));
}

}  // namespace outport::store
