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

// Limits of the fleet port, for all callers: also before they are authenticated.
struct FleetLimits {
  size_t memory_bytes = 256 << 20;  // gRPC's buffers, of all connections together
  int threads = 32;
  int streams = 256;  // calls in progress in one connection
  int metadata_bytes = 8 << 10;
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds idle{600'000};  // a connection without a call
  // A connection keeps the certificate of its handshake. Long before that can expire, the peer is
  // asked to open a new connection; after the grace, the calls of the old one are ended.
  std::chrono::milliseconds age{12 * 3'600'000};
  std::chrono::milliseconds age_grace{3'600'000};
};

// The limits for a fleet whose nodes' identity certificates last `identity_lifetime`. A node renews
// its certificate after a third of that. Two quarters later, no connection uses the old one.
FleetLimits LimitsFor(std::chrono::milliseconds identity_lifetime);

// The fleet port: gRPC over mutual TLS, for nodes and administrators.
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

  // Binds and serves. Changed `files` are reloaded. kFailedPrecondition names the address.
  Result<void> Start(const std::string& listen, const rpc::TlsFiles& files);
  // The address that it listens on, with the port that the system picked for port 0.
  const std::string& address() const { return address_; }
  // Waits for the calls in progress, cancels the others at the deadline, and returns when none is
  // left. The tasks that serve streams must still run. Blocks.
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
