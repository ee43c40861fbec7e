#include <gmock/gmock.h>

#include "tests/replication/relay_fixture.h"

namespace outport {
namespace {

using testing::HasSubstr;

TEST_F(RelayTest, I6AMountNeedsTheUsersOwnGrants) {
  const auto node = JoinNode();
  ASSERT_TRUE(PushBlob(node->registry(), "layer"));
  const auto mounted = Mount(node->registry(), "library/other", DigestOf("layer"), kApp);
  ASSERT_TRUE(mounted) << mounted.error().message;
  EXPECT_EQ(*node->ReadBlob("library/other", DigestOf("layer")), "layer");
  store_->PublishRepository("private/app");
  const Digest secret = store_->PublishBlob("private/app", "secret");
  EXPECT_EQ(CodeOf(Mount(node->registry(), "library/other", secret, "private/app")),
            ErrorCode::kBlobUnknown);
}

TEST_F(RelayTest, I6TheStoreAuthenticatesTheSender) {
  const auto node = JoinNode();
  EXPECT_EQ(CodeOf(Start(node->registry(), Ann("wrong"))), ErrorCode::kUnauthorized);
  EXPECT_EQ(CodeOf(Put(node->registry(), "x", "{}", Ann("wrong"))), ErrorCode::kUnauthorized);
  const auto elsewhere = Start(node->registry(), Ann(), "other/app");
  EXPECT_EQ(CodeOf(elsewhere), ErrorCode::kDenied);
  EXPECT_THAT(elsewhere.error().message, HasSubstr("user 'ann' has no grant to push"));
  store_->AddUser("bob", "builder", "pull");
  Caller bob = Ann("builder");
  bob.user = "bob";
  EXPECT_EQ(CodeOf(Start(node->registry(), bob)), ErrorCode::kDenied);
}

TEST_F(RelayTest, I6ALimitedNodeLearnsNoPasswordsOfOtherUsers) {
  store_->AddNode("us-east", {"pull,push:library/**"});
  const rpc::TlsIdentity identity = authority_.Issue(Role::kNode, "us-east");
  TestNode limited(loop_, identity, folder_.path() / "other", store_->address(), clock_);
  store_->AddUser("eve", "private", "pull,push:private/**");
  const auto push = [&](const std::string& user, const std::string& password) {
    Caller caller = Ann(password);
    caller.user = user;
    return Start(limited.registry(), caller);
  };
  prometheus::Counter& verifications = store_->metrics.Counter("outport_auth_verifications_total",
                                                               "Passwords verified with bcrypt.");
  const auto wrong = push("ann", "guess");
  ASSERT_EQ(CodeOf(wrong), ErrorCode::kUnauthorized);
  for (const auto& [user, password] :
       {std::pair("eve", "private"), {"eve", "guess"}, {"nobody", "guess"}, {"eve", "private"}}) {
    SCOPED_TRACE(user);
    const double before = verifications.Value();
    const auto rejected = push(user, password);
    ASSERT_EQ(CodeOf(rejected), ErrorCode::kUnauthorized);
    EXPECT_EQ(rejected.error().message, wrong.error().message);
    EXPECT_EQ(verifications.Value() - before, 1) << "the same work";
  }
  EXPECT_TRUE(push("ann", "secret")) << "ann is in the node's scope";
  User member{.name = "gil", .password_hash = *HashPassword("third", 4), .grants = {}};
  member.groups = {"readers"};
  store_->users.Set(member);
  EXPECT_EQ(CodeOf(push("gil", "third")), ErrorCode::kUnauthorized);
  store_->users.SetGrants({SubjectKind::kGroup, "readers"}, {*ParseGrant("pull:library/**")});
  EXPECT_EQ(CodeOf(push("gil", "third")), ErrorCode::kDenied) << "the group is in the scope";
}

TEST_F(RelayTest, I6ANodeThatWasRemovedMayNotRelay) {
  const auto node = JoinNode();
  store_->RemoveNode("eu-west");
  const auto start = Start(node->registry());
  EXPECT_EQ(CodeOf(start), ErrorCode::kUnavailable) << "it is not the client's fault";
  EXPECT_THAT(start.error().message, HasSubstr("does not belong to this fleet"));
}

TEST_F(RelayTest, I6ARemovedNodesUploadEnds) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(30'000'000), /*announced=*/true);
  body.CallAt(2'000'000, [&] { store_->RemoveNode("eu-west"); });
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kUnavailable) << "it is not the client's fault";
  EXPECT_THAT(appended.error().message, HasSubstr("does not belong to this fleet"));
}

TEST_F(RelayTest, I6ARemovedUsersUploadEnds) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(30'000'000), /*announced=*/true);
  body.CallAt(2'000'000, [&] { store_->users.Remove("ann"); });
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kUnauthorized);
}

}  // namespace
}  // namespace outport
