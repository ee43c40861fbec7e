#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "registry/base/result.h"
#include "registry/rpc/channel.h"
#include "store/admin/access_service.h"
#include "store/admin/admin_service.h"
#include "store/admin/audit_service.h"
#include "store/admin/authority_service.h"
#include "store/admin/enrollment_service.h"
#include "store/relay/push_service.h"
#include "store/replication/replication_service.h"

namespace grpc {
class Server;
}

namespace outport::store {

// What the fleet's port spends, at most, on those who come, be they known or not.
struct FleetLimits {
  size_t memory_bytes = 256 << 20;  // gRPC's buffers, of all connections together
  int threads = 32;
  int streams = 256;  // calls under way, a connection
  int metadata_bytes = 8 << 10;
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds idle{600'000};  // a connection without a call
  // A connection is as good as the certificate that it began with: long before that can end, its
  // peer is asked to open another, and after the grace its calls are ended.
  std::chrono::milliseconds age{12 * 3'600'000};
  std::chrono::milliseconds age_grace{3'600'000};
};

// The limits for a fleet whose nodes' identity certificates last `identity_lifetime`. A node renews
// its certificate at a third of that: two quarters later no connection of the older one is left.
FleetLimits LimitsFor(std::chrono::milliseconds identity_lifetime);

// The fleet's port: gRPC over mutual TLS, for nodes and administrators.
class FleetServer {
 public:
  struct Parts {
    ReplicationService::Parts replication;
    PushService::Parts push;
    AdminService::Parts admin;
    AccessService::Parts access;
    EnrollmentService::Parts enrollment;
    AuditService::Parts audit;
    AuthorityService::Parts authority;
    FleetLimits limits = {};
  };
  explicit FleetServer(Parts parts);
  ~FleetServer();

  // Binds and serves; `files` are followed as they change. kFailedPrecondition names the address.
  Result<void> Start(const std::string& listen, const rpc::TlsFiles& files);
  // What it listens on, with the port that was picked.
  const std::string& address() const { return address_; }
  // Lets calls finish, cuts what is left at the deadline; returns when none is left. The tasks that
  // serve streams must still be able to run. Blocks.
  void Stop(std::chrono::system_clock::time_point deadline);

 private:
  ReplicationService replication_;
  PushService push_;
  AdminService admin_;
  AccessService access_;
  EnrollmentService enrollment_;
  AuditService audit_;
  AuthorityService authority_;
  const FleetLimits limits_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace outport::store
