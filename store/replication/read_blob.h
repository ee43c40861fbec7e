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
  // The stream ends if the node receives no chunk for this long.
  std::chrono::milliseconds progress_deadline{60000};
};

// Serves Replication.ReadBlob: sends the bytes of a blob that the repository links. Each chunk is
// one checksum block. ReadBlob verifies each block as it reads it, by the checksum in the blob's
// row. A corrupt block ends the stream and quarantines the blob. Safe for several threads; does not
// block. The object outlives the server and the tasks.
class ReadBlob {
 public:
  ReadBlob(Blobs& blobs, BlockingPool& disk, TaskGroup& tasks, Metrics& metrics, Log log,
           ReadBlobLimits limits = {});

  // Fails if the node has no right to read the blob, or has lost that right. Called before each
  // chunk, so it must not block.
  using Allowed = std::function<Result<void>()>;

  // Serves one call of `node` as a task. The node gets the errors of `allowed`, kInvalidArgument,
  // kNameUnknown, kBlobUnknown or kCorrupt, and kTooManyRequests if it has no free slot.
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
  // Opens the requested blob and checks the requested range. Blocks.
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
