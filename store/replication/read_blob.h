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
#include "store/content/blobs.h"
#include "store/fleet/node_slots.h"

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

  // Whether the node may read, and go on to: asked before each chunk, so it must not block.
  using Allowed = std::function<Result<void>()>;

  // Serves one call of `node` as a task. Errors to the caller: those of `allowed`,
  // kInvalidArgument, kNameUnknown, kBlobUnknown, kTooManyRequests beyond the limit, kCorrupt.
  grpc::ServerWriteReactor<v1::BlobChunk>* Start(grpc::CallbackServerContext* context,
                                                 const v1::ReadBlobRequest* request,
                                                 std::string node, Allowed allowed);

 private:
  using Stream = rpc::ServerWriter<v1::BlobChunk>;
  struct OpenBlob;

  net::awaitable<Result<void>> Serve(Stream& stream, const v1::ReadBlobRequest& request,
                                     const std::string& request_id, const std::string& node,
                                     const Allowed& allowed);
  net::awaitable<Result<void>> Send(Stream& stream, const OpenBlob& blob, const Allowed& allowed);
  // Blocks.
  Result<OpenBlob> Open(const v1::ReadBlobRequest& request);

  Blobs& blobs_;
  BlockingPool& disk_;
  TaskGroup& tasks_;
  const Log log_;
  const ReadBlobLimits limits_;
  prometheus::Counter& started_;
  prometheus::Counter& rejected_;
  prometheus::Counter& sent_bytes_;
  NodeSlots slots_;
};

}  // namespace outport::store
