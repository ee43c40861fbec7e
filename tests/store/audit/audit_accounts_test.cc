#include "outport/v1/push.pb.h"
#include "registry/security/pki/invitation.h"
#include "store/admin/admin_gate.h"
#include "store/audit/row_json.h"
#include "store/fleet/peer_address.h"
#include "tests/store/audit/audit_rows.h"
#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

class AuditAccountsTest : public FleetFixture {
 protected:
  boost::json::value Last() { return AuditRows(*meta_, meta_->AuditHead()->sequence - 1).back(); }

  // No entry contains any of these.
  void ExpectNowhere(const std::vector<std::string>& secrets) {
    for (const boost::json::value& row : AuditRows(*meta_)) {
      const std::string text = boost::json::serialize(row);
      for (const std::string& secret : secrets) {
        EXPECT_EQ(text.find(secret), std::string::npos) << text;
      }
    }
  }

  const Actor ops_ = Actor::Administrator("ops", "10.0.0.9", "r1");
};

TEST_F(AuditAccountsTest, AUserComesAndGoesWithARowAndWithoutItsHash) {
  const v1::UserRow user = UserNamed("ci");
  ASSERT_TRUE(fleet_.users.Add(user, ops_).has_value());
  EXPECT_EQ(TextAt(Last(), "/actor/kind"), "administrator");
  EXPECT_EQ(TextAt(Last(), "/actor/name"), "ops");
  EXPECT_EQ(TextAt(Last(), "/actor/address"), "10.0.0.9");
  EXPECT_EQ(TextAt(Last(), "/actor/request_id"), "r1");
  EXPECT_TRUE(Last().at("before").is_null());
  EXPECT_EQ(TextAt(Last(), "/after/name"), "ci");
  EXPECT_EQ(TextAt(Last(), "/after/grants/0/pattern"), "**");
  EXPECT_EQ(TextAt(Last(), "/after/grants/0/actions/0"), "pull");
  ASSERT_TRUE(fleet_.users.Remove("ci", ops_).has_value());
  EXPECT_EQ(TextAt(Last(), "/before/name"), "ci");
  EXPECT_TRUE(Last().at("after").is_null());
  EXPECT_EQ(AuditSummary(*meta_), "user.add user/ci\nuser.remove user/ci\n");
  ExpectNowhere({user.password_hash(), "$2", "password"});
}

TEST_F(AuditAccountsTest, ARejectedChangeLeavesNoRow) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ci"), ops_).has_value());
  EXPECT_FALSE(fleet_.users.Add(UserNamed("ci"), ops_).has_value());
  EXPECT_FALSE(fleet_.users.Remove("nobody", ops_).has_value());
  EXPECT_FALSE(fleet_.certificates.Issue(Role::kClient, "a", "no request", 0, ops_).has_value());
  EXPECT_EQ(meta_->AuditHead()->sequence, 1u);
}

TEST_F(AuditAccountsTest, AnIssuedCertificateLeavesARow) {
  const std::string request = *pki::CreateRequest(pki::CreatePrivateKey());
  const auto issued = fleet_.certificates.Issue(Role::kClient, "desktop", request, 30, ops_);
  ASSERT_TRUE(issued.has_value());
  EXPECT_EQ(AuditSummary(*meta_), "certificate.issue certificate/client/desktop\n");
  EXPECT_EQ(TextAt(Last(), "/after/serial"), issued->row.serial());
  EXPECT_EQ(Last().at("after").at("not_after_ms").as_int64(), issued->row.not_after_ms());
}

TEST_F(AuditAccountsTest, ANodeIsInvitedAndEnrolledWithARowEachAndWithoutItsToken) {
  const auto invitation = *fleet_.invitations.Invite({.node = "eu", .host_names = {"a"}}, ops_);
  const InvitationToken token = *InvitationToken::Decode(invitation.token);
  v1::EnrollRequest request;
  request.set_secret(token.secret);
  request.set_identity_request(*pki::CreateRequest(pki::CreatePrivateKey()));
  request.set_server_request(*pki::CreateRequest(pki::CreatePrivateKey()));
  ASSERT_TRUE(fleet_.invitations.Enroll(request, "10.0.0.3").has_value());
  EXPECT_EQ(AuditSummary(*meta_), "node.invite node/eu\nnode.enroll node/eu\n");
  EXPECT_EQ(TextAt(Last(), "/actor/kind"), "node");
  EXPECT_EQ(TextAt(Last(), "/actor/address"), "10.0.0.3");
  EXPECT_EQ(Last().at("after").at("serials").as_array().size(), 2u);
  ExpectNowhere({token.secret, HashInvitationSecret(token.secret), "PRIVATE KEY"});

  request.set_secret("wrong");
  EXPECT_FALSE(fleet_.invitations.Enroll(request, "10.0.0.3").has_value());
  EXPECT_EQ(meta_->AuditHead()->sequence, 2u);
}

TEST_F(AuditAccountsTest, AddressesStandAlone) {
  EXPECT_EQ(AddressOfPeer("ipv4:10.0.0.1:4711"), "10.0.0.1");
  EXPECT_EQ(AddressOfPeer("ipv6:%5Bfe80::1%5D:4711"), "fe80::1");
  EXPECT_EQ(AddressOfPeer("ipv6:[::1]:4711"), "::1");
  EXPECT_EQ(AddressOfPeer(""), "");
}

// A new field is a secret if its name says so.
TEST_F(AuditAccountsTest, SecretsAreKnownByTheirNames) {
  v1::Sender sender;
  sender.set_user("ann");
  sender.set_password("hunter2");
  EXPECT_EQ(boost::json::serialize(RowJson(sender)), R"({"user":"ann"})");
  v1::EnrollRequest request;
  request.set_secret("hunter2");
  EXPECT_EQ(boost::json::serialize(RowJson(request)), "{}");
  EXPECT_TRUE(RowJson(std::optional<v1::UserRow>()).is_null());
}

}  // namespace
}  // namespace outport::store
