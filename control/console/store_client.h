#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "control/console/profile.h"
#include "outport/v1/admin.grpc.pb.h"
#include "registry/base/result.h"

namespace outport::control {

// The store, as an administrator reaches it. Every call blocks for at most its deadline.
class StoreClient {
 public:
  explicit StoreClient(Profile profile);

  // client.Call(&v1::Admin::Stub::AddUser, request, response, "adding user 'ci'"): a method of any
  // of the store's services.
  // Errors that are not the store's own say what may be wrong with the connection.
  template <class Stub, class Request, class Response>
  Result<void> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response, const std::string& operation) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    context.AddMetadata(rpc::kRequestIdKey, request_id_);
    Stub stub(channel_);
    const grpc::Status status = (stub.*method)(&context, request, &response);
    if (status.ok()) return {};
    return Explain(status, operation);
  }

  const Profile& profile() const { return profile_; }

 private:
  static constexpr std::chrono::seconds kDeadline{20};
  Error Explain(const grpc::Status& status, const std::string& operation) const;

  Profile profile_;
  std::shared_ptr<grpc::Channel> channel_;  // shared with the stubs
  std::string request_id_;                  // of this run, for the audit log
};

// Calls `one_page(page, next)` until the last page has come.
template <class OnePage>
Result<void> ForEachPage(OnePage one_page) {
  v1::PageOf page;
  for (;;) {
    std::string next;
    TRY_VOID(one_page(std::as_const(page), next));
    if (next.empty()) return {};
    page.set_after(next);
  }
}

}  // namespace outport::control
