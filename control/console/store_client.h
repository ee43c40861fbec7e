#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

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

  // Calls `see(row)` for every row of a list, which the store answers page by page:
  // client.ForEachRow(&v1::Admin::Stub::ListNodes, request, &v1::ListNodesResponse::nodes,
  //                   "listing the nodes", see).
  template <class Stub, class Request, class Response, class Rows, class See>
  Result<void> ForEachRow(grpc::Status (Stub::*list)(grpc::ClientContext*, const Request&,
                                                     Response*),
                          Request request, const Rows& (Response::*rows)() const,
                          const std::string& operation, See see) {
    for (;;) {
      Response response;
      TRY_VOID(Call(list, request, response, operation));
      for (const auto& row : (response.*rows)()) see(row);
      if (response.next().empty()) return {};
      request.mutable_page()->set_after(response.next());
    }
  }

  const Profile& profile() const { return profile_; }

 private:
  static constexpr std::chrono::seconds kDeadline{20};
  Error Explain(const grpc::Status& status, const std::string& operation) const;

  Profile profile_;
  std::shared_ptr<grpc::Channel> channel_;  // shared with the stubs
  std::string request_id_;                  // of this run, for the audit log
};

}  // namespace outport::control
