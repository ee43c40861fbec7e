#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include "outport/v1/push.grpc.pb.h"
#include "registry/access/admission.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/task_group.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"
#include "store/fleet/member_directory.h"
#include "store/fleet/node_slots.h"
#include "store/fleet/store_identity.h"
#include "store/relay/relaying_node.h"

namespace outport::store {

struct PushLimits {
  size_t calls_per_node = 256;
  size_t uploads_per_node = 128;
  // A node that sends nothing of a body, or takes no answer, for this long is taken for gone. (The
  // node cuts a client that sends nothing sooner.)
  std::chrono::milliseconds progress_deadline{60000};
};

// The writes of nodes' clients (push.proto), done by the store's own Registry. A node speaks for
// nobody: the store verifies the user's password and asks the user's grants as its HTTP port does,
// within what the node may.
// The client certificate's name and address are the node's assertion: that name may keep a user out
// (UserRow.only_from), but gives no rights. Safe for gRPC's threads:
// calls are coroutines of `tasks`.
class PushService final : public v1::Push::CallbackService {
 public:
  // What it borrows outlives it; the server is shut down before `tasks` is drained.
  struct Parts {
    const MemberDirectory& members;
    Registry& registry;
    AccessDirectory& directory;
    Authenticator& authenticator;
    const Clock& clock;
    TaskGroup& tasks;
    Metrics& metrics;
    Log log;
    StoreIdentity identity;
    PushLimits limits = {};
  };
  explicit PushService(Parts parts);
  ~PushService() override;

  grpc::ServerUnaryReactor* PutManifest(grpc::CallbackServerContext* context,
                                        const v1::PutManifestRequest* request,
                                        v1::PutManifestResponse* response) override;
  grpc::ServerUnaryReactor* DeleteManifest(grpc::CallbackServerContext* context,
                                           const v1::DeleteManifestRequest* request,
                                           v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* DeleteBlob(grpc::CallbackServerContext* context,
                                       const v1::DeleteBlobRequest* request,
                                       v1::DeleteResponse* response) override;
  grpc::ServerUnaryReactor* MountBlob(grpc::CallbackServerContext* context,
                                      const v1::MountBlobRequest* request,
                                      v1::PushedBlob* response) override;
  grpc::ServerUnaryReactor* StartUpload(grpc::CallbackServerContext* context,
                                        const v1::StartUploadRequest* request,
                                        v1::UploadStatus* response) override;
  grpc::ServerUnaryReactor* StatUpload(grpc::CallbackServerContext* context,
                                       const v1::UploadSession* request,
                                       v1::UploadStatus* response) override;
  grpc::ServerUnaryReactor* CancelUpload(grpc::CallbackServerContext* context,
                                         const v1::UploadSession* request,
                                         v1::CancelUploadResponse* response) override;
  grpc::ServerBidiReactor<v1::UploadPart, v1::UploadAnswer>* Upload(
      grpc::CallbackServerContext* context) override;

 private:
  using Context = grpc::CallbackServerContext;
  using UploadStream = rpc::ServerStream<v1::UploadPart, v1::UploadAnswer>;
  struct Admitted;

  // Admits a write: the node must be a member and have a free slot in `slots`, and the sender's
  // user must have the right. kUnavailable if the node may not relay: that is not the fault of its
  // client, who may use another node.
  net::awaitable<Result<Admitted>> Admit(const Context& context, const v1::Sender& sender,
                                         const std::string& repository, Action action,
                                         NodeSlots& slots);
  // Does so for a node whose certificate is already checked.
  net::awaitable<Result<Admitted>> Admit(CertificateIdentity identity, std::string request_id,
                                         const v1::Sender& sender, const std::string& repository,
                                         Action action, NodeSlots& slots);
  net::awaitable<Result<Admission>> AdmitSender(const RelayingNode& node, const v1::Sender& sender,
                                                const Result<RepositoryName>& repository,
                                                Action action);
  net::awaitable<Result<v1::PutManifestResponse>> Put(const Context& context,
                                                      const v1::PutManifestRequest& request);
  net::awaitable<Result<v1::DeleteResponse>> Delete(const Context& context,
                                                    const v1::DeleteManifestRequest& request);
  net::awaitable<Result<v1::DeleteResponse>> Delete(const Context& context,
                                                    const v1::DeleteBlobRequest& request);
  net::awaitable<Result<v1::PushedBlob>> Mount(const Context& context,
                                               const v1::MountBlobRequest& request);
  net::awaitable<Result<v1::UploadStatus>> Start(const Context& context,
                                                 const v1::StartUploadRequest& request);
  net::awaitable<Result<v1::UploadStatus>> Stat(const Context& context,
                                                const v1::UploadSession& request);
  net::awaitable<Result<v1::CancelUploadResponse>> Cancel(const Context& context,
                                                          const v1::UploadSession& request);
  net::awaitable<Result<void>> Receive(UploadStream& stream);
  net::awaitable<Result<v1::UploadAnswer>> Store(const Admitted& admitted,
                                                 const v1::UploadPart::Header& header,
                                                 ByteSource& body);

  v1::Position PositionAt(uint64_t sequence) const;
  // Logs and counts a write, and returns what came of it.
  template <class T>
  Result<T> Record(const Admitted& admitted, const char* verb, Result<T> outcome);

  const Parts parts_;
  const Gate gate_;
  prometheus::Counter& done_;
  prometheus::Counter& refused_;
  NodeSlots calls_;
  NodeSlots uploads_;
  std::atomic<size_t> bodies_ = 0;
};

}  // namespace outport::store
