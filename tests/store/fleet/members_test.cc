#include "store/fleet/members.h"

#include <grpcpp/client_context.h>

#include <map>

#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

using Existing = Invitations::ExistingNode;

class MembersTest : public FleetServerFixture {
 protected:
  // The keys of a machine, and the identity certificate that it has received.
  struct Machine {
    std::string identity_key = pki::CreatePrivateKey();
    std::string server_key = pki::CreatePrivateKey();
    std::string chain;
  };
  Result<v1::EnrollResponse> Enroll(const Machine& machine, const std::string& secret) {
    v1::EnrollRequest request;
    request.set_secret(secret);
    request.set_identity_request(*pki::CreateRequest(machine.identity_key));
    request.set_server_request(*pki::CreateRequest(machine.server_key));
    return fleet_.invitations.Enroll(request, "192.0.2.1");
  }
  Machine Join(const std::string& node, Existing existing = Existing::kReject) {
    Machine machine;
    const auto answer = Enroll(machine, Invite(node, {}, existing).secret);
    EXPECT_TRUE(answer.has_value()) << answer.error().message;
    if (answer.has_value()) machine.chain = answer->identity_certificate();
    return machine;
  }
  bool IsRevoked(const std::string& chain) { return directory_.IsRevoked(*pki::Inspect(chain)); }

  grpc::Status Renew(const rpc::TlsIdentity& identity, v1::EnrollResponse& response,
                     const std::string& server_request = "") {
    v1::RenewRequest request;
    request.set_identity_request(*pki::CreateRequest(pki::CreatePrivateKey()));
    request.set_server_request(server_request);
    const auto stub = v1::Enrollment::NewStub(rpc::Dial(address_, identity, true));
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    return stub->Renew(&context, request, &response);
  }
  // Holds the node's stream, and counts how often it is cut.
  void Connect(const std::string& node) {
    nodes_.Connect(node, "192.0.2.1", [this, node](const Error&) { ++cuts_[node]; });
  }
  int CutsOf(const std::string& node) { return cuts_[node]; }
  rpc::TlsIdentity IdentityOf(const Machine& machine) {
    return {machine.chain, machine.identity_key, files_.authority.root.certificate};
  }
  using FleetServerFixture::IdentityOf;

 private:
  std::map<std::string, int> cuts_;
};

TEST_F(MembersTest, I6RemovingANodeCutsItsStream) {
  Join("eu");
  Join("us");
  Connect("eu");
  Connect("us");
  ASSERT_TRUE(fleet_.members.Remove("eu", kAdmin));
  EXPECT_GE(CutsOf("eu"), 1);
  EXPECT_EQ(CutsOf("us"), 0);
}

TEST_F(MembersTest, I6NewPermissionsCutTheNodesStream) {
  Join("eu");
  Connect("eu");
  ASSERT_TRUE(fleet_.members.Allow("eu", {*ParseGrant("pull:library/**")}, kAdmin));
  EXPECT_EQ(CutsOf("eu"), 1);
  EXPECT_FALSE(fleet_.members.Allow("eu", {}, kAdmin));
  EXPECT_EQ(CutsOf("eu"), 1) << "nothing changed";
}

TEST_F(MembersTest, I6RevokingANodesCertificateCutsItsStream) {
  const Machine eu = Join("eu");
  Connect("eu");
  const CertificateId own{"another", "1"};
  const std::string serial = pki::Inspect(eu.chain)->serial;
  ASSERT_TRUE(fleet_.certificates.Revoke(serial, own, kAdmin));
  EXPECT_EQ(CutsOf("eu"), 1);
  const std::string request = *pki::CreateRequest(pki::CreatePrivateKey());
  const auto client = fleet_.certificates.Issue(Role::kClient, "eu", request, 0, kAdmin);
  ASSERT_TRUE(fleet_.certificates.Revoke(client->row.serial(), own, kAdmin));
  EXPECT_EQ(CutsOf("eu"), 1) << "a client of that name is not the node";
}

TEST_F(MembersTest, I6AMachineThatReplacesANodeCutsItsStream) {
  Join("eu");
  Connect("eu");
  Invite("eu", {}, Existing::kReplace);
  EXPECT_EQ(CutsOf("eu"), 0);
  Join("eu", Existing::kReplace);
  EXPECT_GE(CutsOf("eu"), 1);
}

TEST_F(MembersTest, ANodeRenewsItsCertificatesUnderItsNames) {
  const Machine eu = Join("eu");
  v1::EnrollResponse answer;
  const auto status = Renew(IdentityOf(eu), answer, *pki::CreateRequest(eu.server_key));
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(answer.node(), "eu");
  const auto renewed = *pki::Inspect(answer.identity_certificate());
  EXPECT_EQ(renewed.name, "eu");
  EXPECT_NE(renewed.serial, pki::Inspect(eu.chain)->serial);
  EXPECT_TRUE(pki::CheckHost(answer.server_certificate(), "127.0.0.1").has_value());
  EXPECT_FALSE(IsRevoked(eu.chain)) << "the previous one is valid until it expires";
  ASSERT_TRUE(Renew(IdentityOf(eu), answer).ok());
  EXPECT_EQ(answer.server_certificate(), "") << "the node requested none";
}

TEST_F(MembersTest, I6OnlyNodesOfTheFleetRenew) {
  v1::EnrollResponse answer;
  EXPECT_EQ(Renew(Nobody(), answer).error_code(), grpc::UNAUTHENTICATED);
  for (const Role role : {Role::kClient, Role::kAdmin, Role::kStore}) {
    EXPECT_EQ(Renew(IdentityOf(role, "eu"), answer).error_code(), grpc::PERMISSION_DENIED);
  }
  EXPECT_EQ(Renew(IdentityOf(Role::kNode, "eu"), answer).error_code(), grpc::PERMISSION_DENIED)
      << "it never joined";
  const Machine eu = Join("eu");
  ASSERT_TRUE(fleet_.members.Remove("eu", kAdmin).has_value());
  EXPECT_EQ(Renew(IdentityOf(eu), answer).error_code(), grpc::UNAUTHENTICATED) << "revoked";
  EXPECT_EQ(answer.identity_certificate(), "");
}

TEST_F(MembersTest, I6ARemovedNodeLosesCertificatesAndInvitations) {
  const Machine eu = Join("eu");
  const Machine us = Join("us");
  const InvitationToken pending = Invite("eu", {}, Existing::kReplace);
  const auto sequence = fleet_.members.Remove("eu", kAdmin);
  ASSERT_TRUE(sequence.has_value()) << sequence.error().message;
  EXPECT_EQ(*sequence, meta_->Head()->sequence);
  EXPECT_TRUE(IsRevoked(eu.chain));
  EXPECT_FALSE(IsRevoked(us.chain));
  EXPECT_EQ(fleet_.members.List("", 10)->rows.size(), 1u);
  EXPECT_EQ(Enroll(Machine(), pending.secret).error().code, ErrorCode::kDenied)
      << "its invitations are deleted";
  for (const auto& one : fleet_.certificates.List("", 10)->rows) {
    EXPECT_EQ(one.has_revocation(), one.row().name() == "eu") << one.row().name();
  }
  const auto again = fleet_.members.Remove("eu", kAdmin);
  EXPECT_EQ(again.error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(IsRevoked(Join("eu").chain)) << "the name is free again";
}

TEST_F(MembersTest, ANodeIsReplacedOnlyOnRequest) {
  const InvitationToken early = Invite("eu");
  const Machine first = Join("eu");
  const auto refused = fleet_.invitations.Invite({.node = "eu", .host_names = {"a"}}, kAdmin);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(refused.error().message.contains("--replace")) << refused.error().message;
  const auto late = Enroll(Machine(), early.secret);
  ASSERT_FALSE(late.has_value()) << "a newer invitation replaced it";
  EXPECT_EQ(late.error().code, ErrorCode::kDenied);
  EXPECT_FALSE(IsRevoked(first.chain));

  const InvitationToken token = Invite("eu", {}, Existing::kReplace);
  EXPECT_FALSE(IsRevoked(first.chain)) << "it serves until the other machine has joined";
  Machine second;
  const auto joined = Enroll(second, token.secret);
  ASSERT_TRUE(joined.has_value()) << joined.error().message;
  EXPECT_TRUE(IsRevoked(first.chain));
  const auto retried = Enroll(second, token.secret);
  ASSERT_TRUE(retried.has_value()) << "the first answer may have been lost";
  EXPECT_FALSE(IsRevoked(joined->identity_certificate()));
  EXPECT_FALSE(IsRevoked(retried->identity_certificate()));
}

}  // namespace
}  // namespace outport::store
