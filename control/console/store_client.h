#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <memory>
#include <string>

#include "control/console/profile.h"
#include "outport/v1/admin.grpc.pb.h"
#include "registry/base/result.h"

namespace outport::control {

// A connection to the fleet port of the store with the identity of a profile. Each call blocks for
// at most kDeadline.
class StoreClient {
 public:
  explicit StoreClient(Profile profile);

  // Calls a method of one of the store's services:
  // client.Call(&v1::Admin::Stub::AddUser, request, response, "adding user 'ci'").
  // The error's text begins with `operation`. If the error does not come from the store, its text
  // says what may be wrong with the connection.
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

  // Calls `see(row)` for every row of a list. Requests the list from the store page by page:
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
  std::string request_id_;                  // one id for all calls, for the audit log
};

}  // namespace outport::control
