#include "store/fleet/fleet.h"

#include <set>

#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;

class FleetTest : public FleetFixture {
 protected:
  std::vector<v1::Change> Changes() {
    std::vector<v1::Change> changes;
    for (const LogRecord& record : *meta_->ReadLog(1, 100, 1 << 20)) {
      EXPECT_TRUE(changes.emplace_back().ParseFromString(record.record));
    }
    return changes;
  }
};

TEST_F(FleetTest, AddAndRemoveTakeEffectBeforeTheyReturn) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ci"), kAdmin).has_value());
  ASSERT_NE(directory_.Find("ci"), nullptr);
  const Rights rights = directory_.RightsOf(directory_.Find("ci"), {});
  EXPECT_TRUE(rights.Allows(Action::kPull, *RepositoryName::Parse("a/b")));
  EXPECT_FALSE(rights.Allows(Action::kPush, *RepositoryName::Parse("a/b")));
  ASSERT_TRUE(fleet_.users.Remove("ci", kAdmin).has_value());
  EXPECT_EQ(directory_.Find("ci"), nullptr);
}

TEST_F(FleetTest, I10EveryChangeOfAUserIsInTheLog) {
  EXPECT_EQ(*fleet_.users.Add(UserNamed("ci"), kAdmin), 1u);
  EXPECT_EQ(*fleet_.users.Remove("ci", kAdmin), 2u);
  const auto changes = Changes();
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(changes[0].user_set().name(), "ci");
  EXPECT_TRUE(VerifyPassword("secret", changes[0].user_set().password_hash()));
  EXPECT_GT(changes[0].user_set().created_ms(), 0);
  EXPECT_EQ(changes[1].user_deleted().name(), "ci");
}

TEST_F(FleetTest, UsersSurviveARestart) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ci"), kAdmin).has_value());
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ops"), kAdmin).has_value());
  directory_.ReplaceAll({});
  Fleet restarted(FleetParts());
  ASSERT_TRUE(restarted.follower.Load().has_value());
  EXPECT_NE(directory_.Find("ci"), nullptr);
  EXPECT_NE(directory_.Find("ops"), nullptr);
}

TEST_F(FleetTest, RejectsInvalidUsersWithoutAChange) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ci"), kAdmin).has_value());
  v1::UserRow weak = UserNamed("a");
  weak.set_password_hash("$apr1$aaaaaaaa$bbbbbbbbbbbbbbbbbbbbbb");
  v1::UserRow no_grant = UserNamed("a");
  no_grant.clear_grants();
  v1::UserRow bad_grant = UserNamed("a");
  bad_grant.mutable_grants(0)->set_pattern("/");
  v1::UserRow bad_action = UserNamed("a");
  bad_action.mutable_grants(0)->set_actions(0, "rule");
  for (const v1::UserRow& row :
       {weak, no_grant, bad_grant, bad_action, UserNamed("A/"), UserNamed("anonymous")}) {
    const auto added = fleet_.users.Add(row, kAdmin);
    ASSERT_FALSE(added.has_value());
    EXPECT_EQ(added.error().code, ErrorCode::kInvalidArgument) << added.error().message;
  }
  const auto again = fleet_.users.Add(UserNamed("ci", "other"), kAdmin);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kAlreadyExists);
  EXPECT_TRUE(VerifyPassword("secret", directory_.Find("ci")->password_hash));
  const auto absent = fleet_.users.Remove("nobody", kAdmin);
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(Changes().size(), 1u);
}

TEST_F(FleetTest, ListsReturnPages) {
  for (const char* name : {"c", "a", "b"}) {
    ASSERT_TRUE(fleet_.users.Add(UserNamed(name), kAdmin).has_value());
  }
  const auto first = *fleet_.users.List("", 2);
  ASSERT_EQ(first.rows.size(), 2u);
  EXPECT_EQ(first.rows[0].name(), "a");
  EXPECT_TRUE(first.more());
  const auto last = *fleet_.users.List("b", 2);
  ASSERT_EQ(last.rows.size(), 1u);
  EXPECT_EQ(last.rows[0].name(), "c");
  EXPECT_FALSE(last.more());
}

TEST_F(FleetTest, IssuedCertificatesAreListed) {
  const std::string request = *pki::CreateRequest(pki::CreatePrivateKey());
  const auto issued = fleet_.certificates.Issue(Role::kClient, "desktop", request, 30, kAdmin);
  ASSERT_TRUE(issued.has_value()) << issued.error().message;
  EXPECT_EQ(pki::Inspect(issued->chain)->name, "desktop");
  EXPECT_EQ(issued->authorities, files_.authority.root.certificate);
  const auto days = std::chrono::duration_cast<hours>(*pki::NotAfter(issued->chain) -
                                                      std::chrono::system_clock::now());
  EXPECT_NEAR(static_cast<double>(days.count()), 30 * 24, 2);
  const auto second = fleet_.certificates.Issue(Role::kAdmin, "ops", request, 0, kAdmin);
  ASSERT_TRUE(second.has_value());

  const auto first_page = *fleet_.certificates.List("", 1);
  ASSERT_EQ(first_page.rows.size(), 1u);
  ASSERT_FALSE(first_page.next.empty());
  const auto last_page = *fleet_.certificates.List(first_page.next, 1);
  ASSERT_EQ(last_page.rows.size(), 1u);
  EXPECT_TRUE(last_page.next.empty());
  EXPECT_NE(first_page.rows[0].row().name(), last_page.rows[0].row().name());
}

TEST_F(FleetTest, CertificatesThatExpiredLongAgoAreDeleted) {
  const std::string request = *pki::CreateRequest(pki::CreatePrivateKey());
  const auto issue = [&](const std::string& name, uint32_t days) {
    return fleet_.certificates.Issue(Role::kClient, name, request, days, kAdmin)->row;
  };
  const auto names = [&] {
    std::set<std::string> listed;
    for (const auto& one : fleet_.certificates.List("", 10)->rows) {
      listed.insert(one.row().name());
    }
    return listed;
  };
  issue("short", 10);
  issue("long", 365);
  const auto revoked = issue("revoked", 10);
  ASSERT_TRUE(fleet_.certificates.Revoke(revoked.serial(), {"another", "1"}, kAdmin));
  clock_.Advance(std::chrono::days(99));
  EXPECT_EQ(*fleet_.certificates.DeleteExpired(), 0u);
  clock_.Advance(std::chrono::days(2));
  EXPECT_EQ(*fleet_.certificates.DeleteExpired(), 1u);
  EXPECT_EQ(names(), (std::set<std::string>{"long", "revoked"}));
  EXPECT_EQ(*fleet_.certificates.DeleteExpired(), 0u);
}

TEST_F(FleetTest, CertificatesAreForClientsAndAdministratorsOnly) {
  const std::string request = *pki::CreateRequest(pki::CreatePrivateKey());
  for (const Role role : {Role::kNode, Role::kStore}) {
    EXPECT_FALSE(fleet_.certificates.Issue(role, "a", request, 0, kAdmin).has_value());
  }
  EXPECT_FALSE(fleet_.certificates.Issue(Role::kClient, "a", request, 1826, kAdmin).has_value());
  EXPECT_TRUE(fleet_.certificates.List("", 10)->rows.empty());
}

TEST_F(FleetTest, RejectsInvalidInvitations) {
  auto& invitations = fleet_.invitations;
  EXPECT_FALSE(invitations.Invite({.node = "EU", .host_names = {"a"}}, kAdmin).has_value());
  EXPECT_FALSE(invitations.Invite({.node = "eu", .host_names = {}}, kAdmin).has_value());
  EXPECT_FALSE(invitations.Invite({.node = "eu", .host_names = {"a b"}}, kAdmin).has_value());
  EXPECT_FALSE(
      invitations.Invite({.node = "eu", .host_names = {"a"}, .lifetime = hours(24 * 8)}, kAdmin)
          .has_value());
  EXPECT_FALSE(
      invitations
          .Invite({.node = "eu", .host_names = {"a"}, .lifetime = std::chrono::seconds(-1)}, kAdmin)
          .has_value());
  EXPECT_TRUE(invitations.Invite({.node = "eu", .host_names = {"a"}}, kAdmin).has_value());
}

TEST_F(FleetTest, TheSecretOfAnInvitationIsNotStored) {
  const auto invitation = *fleet_.invitations.Invite({.node = "eu", .host_names = {"a"}}, kAdmin);
  const std::string secret = InvitationToken::Decode(invitation.token)->secret;
  const auto rows = *meta_->Scan({"", "", 100});
  EXPECT_FALSE(rows.empty());
  for (const KeyValue& row : rows) {
    EXPECT_EQ(row.key.find(secret), std::string::npos);
    EXPECT_EQ(row.value.find(secret), std::string::npos);
  }
}

TEST_F(FleetTest, InvitationsAreDeletedAWeekAfterTheyExpire) {
  ASSERT_TRUE(
      fleet_.invitations.Invite({.node = "eu", .host_names = {"a"}, .lifetime = hours(1)}, kAdmin)
          .has_value());
  clock_.Advance(hours(24 * 7));
  ASSERT_TRUE(
      fleet_.invitations.Invite({.node = "us", .host_names = {"a"}, .lifetime = hours(1)}, kAdmin)
          .has_value());
  EXPECT_EQ(meta_->Scan({"invitation/", "", 10})->size(), 2u);
  clock_.Advance(hours(2));
  ASSERT_TRUE(
      fleet_.invitations.Invite({.node = "ap", .host_names = {"a"}, .lifetime = hours(1)}, kAdmin)
          .has_value());
  EXPECT_EQ(meta_->Scan({"invitation/", "", 10})->size(), 2u);
}

}  // namespace
}  // namespace outport::store
