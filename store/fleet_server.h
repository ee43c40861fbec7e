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
#include "store/admin/content_service.h"
#include "store/admin/enrollment_service.h"
#include "store/admin/gc_service.h"
#include "store/admin/retention_service.h"
#include "store/relay/push_service.h"
#include "store/replication/replication_service.h"

namespace grpc {
class Server;
}

namespace outport::store {

// The limits of the fleet port. They apply to all callers, also to callers that are not
// authenticated yet.
struct FleetLimits {
  size_t memory_bytes = 256 << 20;  // for gRPC's buffers of all connections
  int threads = 32;
  int streams = 256;  // calls in progress in one connection
  int metadata_bytes = 8 << 10;
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds idle{600'000};  // a connection without calls is closed after this
  // A connection keeps the certificate of its handshake. When the connection has this age, long
  // before that certificate can expire, the server asks the peer to open a new connection. After
  // the grace, the server ends the calls of the old connection.
  std::chrono::milliseconds age{12 * 3'600'000};
  std::chrono::milliseconds age_grace{3'600'000};
};

// Returns the limits for a fleet whose nodes have identity certificates with this lifetime. A node
// renews its certificate after a third of the lifetime. Age and grace are at most a quarter each,
// so no connection uses the old certificate when it expires.
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
    ContentService::Parts content;
    GcService::Parts gc;
    RetentionService::Parts retention;
    FleetLimits limits = {};
  };
  explicit FleetServer(Parts parts);
  ~FleetServer();

  // Binds the port and serves. Reloads `files` after they have changed. If the port cannot be
  // bound, returns kFailedPrecondition with the address.
  Result<void> Start(const std::string& listen, const rpc::TlsFiles& files);
  // The address that the server listens on. For port 0 it has the port that the system picked.
  const std::string& address() const { return address_; }
  // Waits until the calls in progress have ended. At the deadline, cancels the remaining calls.
  // Meanwhile the tasks that serve streams must still run. Blocks.
  void Stop(std::chrono::system_clock::time_point deadline);

 private:
  const std::shared_ptr<rpc::MemberGate> gate_;  // shared with the credentials of server_
  ReplicationService replication_;
  PushService push_;
  AdminService admin_;
  AccessService access_;
  EnrollmentService enrollment_;
  AuditService audit_;
  AuthorityService authority_;
  ContentService content_;
  GcService gc_;
  RetentionService retention_;
  const FleetLimits limits_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace outport::store
