#pragma once

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/metrics.h"
#include "registry/base/task_group.h"
#include "registry/rpc/stream.h"
#include "registry/storage/blob_store.h"
#include "store/blobs.h"
#include "store/calling_node.h"

namespace outport::store {

struct ReadBlobLimits {
  size_t streams_per_node = 64;
  // A node that takes no chunk for this long is taken for gone.
  std::chrono::milliseconds progress_deadline{60000};
};

// Serves Replication.ReadBlob: the bytes of a blob that the repository links, a checksum block a
// chunk, each checked when it was read and sent with the checksum that its row holds. A bad block
// ends the stream and puts the blob aside. Safe for several threads; nothing here blocks. Outlives
// the server and the tasks.
class ReadBlob {
 public:
  ReadBlob(Blobs& blobs, BlockingPool& disk, TaskGroup& tasks, Metrics& metrics, Log log,
           ReadBlobLimits limits = {});

  // Who calls: the node's name, for its limit of streams, or the refusal. May block: it is called
  // on the pool, while the call lives.
  using Authorize = std::move_only_function<Result<std::string>()>;

  // Whether who was let in may go on: asked before each chunk, so it must not block.
  using Stays = std::function<Result<void>()>;

  // Serves one call as a task. Errors to the caller: those of both, kInvalidArgument,
  // kNameUnknown, kBlobUnknown, kTooManyRequests beyond the limit, kCorrupt.
  grpc::ServerWriteReactor<v1::BlobChunk>* Start(grpc::CallbackServerContext* context,
                                                 const v1::ReadBlobRequest* request,
                                                 Authorize authorize, Stays stays);

 private:
  using Stream = rpc::ServerWriter<v1::BlobChunk>;
  struct OpenBlob;

  net::awaitable<Result<void>> Serve(Stream& stream, const v1::ReadBlobRequest& request,
                                     const std::string& request_id, Authorize& authorize,
                                     const Stays& stays);
  net::awaitable<Result<void>> Send(Stream& stream, const OpenBlob& blob, const Stays& stays);
  // Blocks.
  Result<OpenBlob> Open(const v1::ReadBlobRequest& request, Authorize& authorize);
  net::awaitable<void> PutAside(const OpenBlob& blob, const Error& why);

  Blobs& blobs_;
  BlockingPool& disk_;
  TaskGroup& tasks_;
  const Log log_;
  const ReadBlobLimits limits_;
  prometheus::Counter& started_;
  prometheus::Counter& refused_;
  prometheus::Counter& corrupt_;
  prometheus::Counter& sent_bytes_;
  NodePlaces places_;
};

}  // namespace outport::store
