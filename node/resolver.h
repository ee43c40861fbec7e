#pragma once

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "node/overlay.h"
#include "node/replica.h"
#include "node/single_flight.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "registry/service/registry.h"

namespace outport::node {

// Asks the store what it says now: one question per key at a time, a second's deadline, and what
// comes is laid over the replica. Safe for all strands.
class Resolver {
 public:
  struct Parts {
    std::shared_ptr<grpc::Channel> channel;  // shared with the other callers of the store
    const Replica& replica;
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
  };
  explicit Resolver(Parts parts);

  // The store's answer; one that says "not found" was asked for after this call began. kUnavailable
  // if there is none, whatever the cause; kTooManyRequests beyond the limit.
  net::awaitable<Result<Resolved>> Resolve(std::string request_id, v1::ResolveRequest request);
  // What an earlier answer said, while it is newer than the replica.
  std::optional<Resolved> FindKept(const v1::ResolveRequest& request);
  // Whether the replica may answer for what FindKept() does not know.
  bool ReplicaIsTrusted() const { return overlay_.IsComplete(parts_.replica.position()); }
  // Whether the replica has passed every answer that was kept.
  bool ReplicaHasPassed() const { return overlay_.IsPassed(parts_.replica.position()); }

 private:
  net::awaitable<Result<Resolved>> Ask(std::string key, v1::ResolveRequest request,
                                       std::string request_id);

  const Parts parts_;
  const std::unique_ptr<v1::Replication::Stub> stub_;
  Overlay overlay_;
  SingleFlight<Resolved> flights_;
  prometheus::Counter& found_;
  prometheus::Counter& absent_;
  prometheus::Counter& failed_;
};

v1::ResolveRequest AskReference(const RepositoryName& repository, const Reference& reference);
v1::ResolveRequest AskBlob(const RepositoryName& repository, const Digest& digest);
v1::ResolveRequest AskHead();

}  // namespace outport::node
