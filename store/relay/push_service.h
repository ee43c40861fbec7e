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
  // The longest wait for a node to send a part of a body or to receive the answer. It is longer
  // than the node's own wait for its client, so that the node reports a slow client first.
  std::chrono::milliseconds progress_deadline{60000};
};

// Performs the writes that nodes relay for their clients (push.proto), with the store's Registry.
// The store does not rely on the node to authenticate clients. It authenticates and admits each
// user itself, within the node's permissions. The store cannot verify the client's address and the
// name in the client's certificate, which the node sends. This name can deny a login
// (UserRow.only_from), but adds no rights. Safe for all threads. Each call runs as a coroutine of
// `tasks`.
class PushService final : public v1::Push::CallbackService {
 public:
  // The references outlive the service. Shut down the gRPC server before you drain `tasks`.
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

  // Admits a write. The node must be a member and have a free slot in `slots`, and the sender's
  // user must have the right to `action`. If the node may not relay, returns kUnavailable, because
  // the client is not at fault and may use another node.
  net::awaitable<Result<Admitted>> Admit(const Context& context, const v1::Sender& sender,
                                         const std::string& repository, Action action,
                                         NodeSlots& slots);
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
  // Logs and counts a write, and returns `outcome`.
  template <class T>
  Result<T> Record(const Admitted& admitted, const char* verb, Result<T> outcome);

  const Parts parts_;
  const Gate gate_;
  prometheus::Counter& succeeded_;
  prometheus::Counter& rejected_;
  NodeSlots calls_;
  NodeSlots uploads_;
  std::atomic<size_t> bodies_ = 0;
};

}  // namespace outport::store
