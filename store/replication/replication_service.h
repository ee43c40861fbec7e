#pragma once

#include <string>

#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/task_group.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/content/repository_content.h"
#include "store/fleet/connected_nodes.h"
#include "store/fleet/member_directory.h"
#include "store/fleet/store_identity.h"
#include "store/replication/pull_reports.h"
#include "store/replication/read_blob.h"
#include "store/replication/snapshot_limits.h"
#include "store/work/store_clock.h"

namespace outport::store {

// The gRPC service for nodes (replication.proto). Every method first checks that the caller has a
// node's certificate, belongs to the fleet, and may pull from the repository. A touch also needs
// the permission to push, because it keeps content at the store. The service denies other callers
// before it queues any work. Safe for gRPC's threads: blocking work runs on the pool, streams are
// coroutines of `tasks`.
class ReplicationService final : public v1::Replication::CallbackService {
 public:
  // The referenced objects outlive the service. Shut the server down before you drain `tasks`.
  struct Parts {
    MetaStore& meta;
    Content& content;
    const AccessDirectory& directory;
    const MemberDirectory& members;
    store::ReadBlob& blobs;
    BlockingPool& pool;
    TaskGroup& tasks;
    ConnectedNodes& nodes;
    const Clock& clock;
    const StoreClock& store_clock;
    Metrics& metrics;
    Log log;
    StoreIdentity identity;
    v1::FreshnessPolicy policy;
    AccessFollower* access = nullptr;  // whose pending changes nodes receive; null: none
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
  grpc::ServerUnaryReactor* ReportPulls(grpc::CallbackServerContext* context,
                                        const v1::ReportPullsRequest* request,
                                        v1::ReportPullsResponse* response) override;

 private:
  // Authenticates the calling node by its certificate.
  Result<CertificateIdentity> RequireMember(const grpc::CallbackServerContext& context) const;
  // Re-authorises a node during a long call. Fails if the node no longer belongs to the fleet, or
  // if its certificate is revoked.
  Result<void> RequireStays(const CertificateIdentity& caller) const;
  // Checks that the node's permissions allow the action in the repository.
  Result<void> Require(Action action, const std::string& node, const std::string& repository) const;

  const Parts parts_;
  const PullMetrics pull_metrics_;
  SnapshotLimits snapshots_;
};

}  // namespace outport::store
