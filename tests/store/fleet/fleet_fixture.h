#pragma once

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "registry/rpc/channel.h"
#include "registry/security/password/password.h"
#include "registry/security/pki/invitation.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/admin/access_service.h"
#include "store/admin/admin_service.h"
#include "store/admin/audit_service.h"
#include "store/admin/authority_service.h"
#include "store/admin/enrollment_service.h"
#include "store/authority/admin_profile.h"
#include "store/authority/authority_files.h"
#include "store/fleet/fleet.h"
#include "tests/support/fleet_credentials.h"
#include "tests/support/shifted_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::store {

inline const Actor kAdmin = Actor::Administrator("admin");

// A fleet over a database in a temporary folder.
class FleetFixture : public testing::Test {
 protected:
  FleetFixture()
      : files_(*CreateAuthorityFiles(disk_, folder_.path() / "pki", "outport",
                                     {"localhost", "127.0.0.1"})),
        meta_(*OpenRocksMetaStore({folder_.path() / "meta"}, Log::Nowhere())) {}

  Fleet::Parts FleetParts() {
    return {.meta = *meta_,
            .directory = directory_,
            .clock = clock_,
            .log = Log::Nowhere(),
            .authority = files_.authority,
            .fleet_address = "127.0.0.1:5001"};
  }
  static v1::UserRow UserNamed(const std::string& name, const std::string& password = "secret") {
    v1::UserRow row;
    row.set_name(name);
    row.set_password_hash(*HashPassword(password, 4));
    v1::Grant& grant = *row.add_grants();
    grant.add_actions("pull");
    grant.set_pattern("**");
    return row;
  }

  TemporaryFolder folder_;
  PosixFileSystem disk_;
  AuthorityFiles files_;
  std::unique_ptr<MetaStore> meta_;
  AccessDirectory directory_;
  ShiftedClock clock_;
  Fleet fleet_{FleetParts()};
};

// A fleet behind a real fleet port on loopback, with mutual TLS.
class FleetServerFixture : public FleetFixture {
 protected:
  // `more` are further services of the fleet port. They outlive the fixture.
  explicit FleetServerFixture(const std::vector<grpc::Service*>& more = {}) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0",
                             rpc::FleetServerCredentials({files_.server_chain, files_.server_key,
                                                          TrustStateOf(files_.authority).bundle}),
                             &port);
    builder.RegisterService(&admin_);
    builder.RegisterService(&access_);
    builder.RegisterService(&enrollment_);
    builder.RegisterService(&audit_);
    builder.RegisterService(&authority_);
    for (grpc::Service* service : more) builder.RegisterService(service);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
  }
  ~FleetServerFixture() override {
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
  }

  // A certificate of the fleet for a new key, and the root to verify the store with.
  rpc::TlsIdentity IdentityOf(Role role, const std::string& name) {
    return IdentityFrom(files_.authority, role, name);
  }
  rpc::TlsIdentity IdentityFrom(const pki::Authority& authority, Role role,
                                const std::string& name) {
    const std::string key = pki::CreatePrivateKey();
    const pki::LeafOptions options{.role = role, .name = name, .lifetime = std::chrono::hours(1)};
    const auto leaf = *pki::Issue(authority, *pki::CreateRequest(key), options);
    return {leaf.certificate + authority.issuing.certificate, key,
            files_.authority.root.certificate};
  }
  rpc::TlsIdentity Nobody() { return {"", "", files_.authority.root.certificate}; }

  // Invites a node. The token has the address of the test's store.
  InvitationToken Invite(const std::string& node, std::chrono::seconds lifetime = {},
                         Invitations::ExistingNode existing = Invitations::ExistingNode::kReject,
                         std::vector<Grant> allow = {}) {
    const auto invitation = *fleet_.invitations.Invite({.node = node,
                                                        .host_names = {"127.0.0.1"},
                                                        .lifetime = lifetime,
                                                        .existing = existing,
                                                        .allow = std::move(allow)},
                                                       kAdmin);
    InvitationToken token = *InvitationToken::Decode(invitation.token);
    token.store_address = address_;
    return token;
  }

  BlockingPool pool_{"admin", 2, 100};
  ConnectedNodes& nodes_ = fleet_.connected_nodes;
  Metrics metrics_;
  const AdminGate gate_{.domain = "outport", .directory = directory_, .pool = pool_};
  AdminService admin_{{.gate = gate_,
                       .fleet = fleet_,
                       .meta = *meta_,
                       .files = disk_,
                       .epoch = "epoch1",
                       .version = "1.2.3",
                       .data = folder_.path(),
                       .started_ms = 1000}};
  AccessService access_{{.gate = gate_, .fleet = fleet_, .clock = clock_}};
  EnrollmentService enrollment_{
      {.fleet = fleet_, .pool = pool_, .clock = clock_, .metrics = metrics_, .domain = "outport"}};
  AuditService audit_{{.gate = gate_, .meta = *meta_}};
  Rotation rotation_{{.meta = *meta_,
                      .authorities = fleet_.authorities,
                      .follower = fleet_.follower,
                      .nodes = nodes_,
                      .files = disk_,
                      .clock = clock_,
                      .log = Log::Nowhere(),
                      .pki = folder_.path() / "pki",
                      .domain = "outport"}};
  AuthorityService authority_{{.gate = gate_, .rotation = rotation_}};
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

}  // namespace outport::store
