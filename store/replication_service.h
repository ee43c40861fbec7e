#pragma once

#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/task_group.h"
#include "registry/security/access_directory.h"
#include "registry/storage/meta_store.h"
#include "store/node_directory.h"
#include "store/read_blob.h"

namespace outport::store {

// What nodes ask of the store (replication.proto). Every method first checks that the caller shows
// a node's certificate: others are refused before anything is queued for them. Then, on the pool,
// that the node still belongs to the fleet. Safe for gRPC's threads: what blocks runs on the pool,
// streams are coroutines of `tasks`.
class ReplicationService final : public v1::Replication::CallbackService {
 public:
  // What it borrows outlives it; the server is shut down before `tasks` is drained.
  struct Parts {
    MetaStore& meta;
    const AccessDirectory& directory;
    store::ReadBlob& blobs;
    BlockingPool& pool;
    TaskGroup& tasks;
    NodeDirectory& nodes;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string epoch;   // the store's, from its StoreRow
    std::string domain;  // of the fleet's certificates
    v1::FreshnessPolicy policy;
  };
  explicit ReplicationService(Parts parts);
  ~ReplicationService() override;

  grpc::ServerBidiReactor<v1::NodeMessage, v1::StoreMessage>* Sync(
      grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Resolve(grpc::CallbackServerContext* context,
                                    const v1::ResolveRequest* request,
                                    v1::ResolveResponse* response) override;
  grpc::ServerUnaryReactor* GetManifest(grpc::CallbackServerContext* context,
                                        const v1::GetManifestRequest* request,
                                        v1::GetManifestResponse* response) override;
  grpc::ServerWriteReactor<v1::BlobChunk>* ReadBlob(grpc::CallbackServerContext* context,
                                                    const v1::ReadBlobRequest* request) override;

 private:
  // The node that calls, by its certificate. Does not block.
  Result<std::string> RequireNode(const grpc::CallbackServerContext& context) const;
  // Blocks.
  Result<void> RequireMember(const std::string& node) const;

  const Parts parts_;
};

}  // namespace outport::store
