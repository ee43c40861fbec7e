#include "store/fleet_server.h"

#include <grpcpp/resource_quota.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <utility>

#include "registry/base/address.h"
#include "registry/rpc/peer_verifier.h"

namespace outport::store {
namespace {

constexpr int kKeepaliveMs = 10000;
constexpr int kKeepaliveTimeoutMs = 5000;
constexpr int kMinPingIntervalMs = 5000;  // gRPC's default rejects the nodes' keepalive pings

void SetLimits(grpc::ServerBuilder& builder, const FleetLimits& limits) {
  grpc::ResourceQuota quota("fleet");
  quota.Resize(limits.memory_bytes).SetMaxThreads(limits.threads);
  builder.SetResourceQuota(quota);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, limits.streams);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, limits.metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             static_cast<int>(limits.handshake.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS,
                             static_cast<int>(limits.idle.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, static_cast<int>(limits.age.count()));
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                             static_cast<int>(limits.age_grace.count()));
}

}  // namespace

FleetLimits LimitsFor(std::chrono::milliseconds identity_lifetime) {
  FleetLimits limits;
  limits.age = std::min(limits.age, identity_lifetime / 4);
  limits.age_grace = std::min(limits.age_grace, identity_lifetime / 4);
  return limits;
}

FleetServer::FleetServer(Parts parts)
    : gate_(std::make_shared<rpc::MemberGate>(parts.replication.identity.domain,
                                              parts.replication.directory, parts.replication.log)),
      replication_(std::move(parts.replication)),
      push_(std::move(parts.push)),
      admin_(std::move(parts.admin)),
      access_(std::move(parts.access)),
      enrollment_(parts.enrollment),
      audit_(std::move(parts.audit)),
      authority_(std::move(parts.authority)),
      content_(std::move(parts.content)),
      gc_(std::move(parts.gc)),
      retention_(std::move(parts.retention)),
      limits_(parts.limits) {}

FleetServer::~FleetServer() { gate_->Close(); }

Result<void> FleetServer::Start(const std::string& listen, const rpc::TlsFiles& files) {
  grpc::ServerBuilder builder;
  SetLimits(builder, limits_);
  builder.SetMaxReceiveMessageSize(rpc::kMaxMessageBytes);
  builder.SetMaxSendMessageSize(rpc::kMaxMessageBytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT,
                             0);  // otherwise two stores could share a port unnoticed
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingIntervalMs);
  int port = 0;
  builder.AddListeningPort(listen, rpc::ReloadingServerCredentials(files, gate_), &port);
  builder.RegisterService(&replication_);
  builder.RegisterService(&push_);
  builder.RegisterService(&admin_);
  builder.RegisterService(&access_);
  builder.RegisterService(&enrollment_);
  builder.RegisterService(&audit_);
  builder.RegisterService(&authority_);
  builder.RegisterService(&content_);
  builder.RegisterService(&gc_);
  builder.RegisterService(&retention_);
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) {
    return Error{ErrorCode::kFailedPrecondition,
                 "listening on " + listen +
                     ": the port is in use, or the address does not belong to this machine"};
  }
  address_ = WithPort(listen, static_cast<uint16_t>(port));
  return {};
}

void FleetServer::Stop(std::chrono::system_clock::time_point deadline) {
  if (server_ != nullptr) server_->Shutdown(deadline);
}

}  // namespace outport::store
