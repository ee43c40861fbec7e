#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "tests/replication/test_node.h"
#include "tests/support/sanitizer.h"

namespace outport {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kTeam = "team/app";

v1::Change UserWith(const std::string& name, const std::vector<std::string>& grants,
                    const std::vector<std::string>& groups = {}) {
  v1::Change change;
  change.mutable_user_set()->set_name(name);
  for (const std::string& grant : grants) {
    *change.mutable_user_set()->add_grants() = ToGrantRecord(*ParseGrant(grant));
  }
  change.mutable_user_set()->mutable_groups()->Assign(groups.begin(), groups.end());
  return change;
}

v1::Change GrantsOf(const std::string& subject, const std::vector<std::string>& grants) {
  v1::Change change;
  change.mutable_grants_set()->set_subject(subject);
  for (const std::string& grant : grants) {
    *change.mutable_grants_set()->add_grants() = ToGrantRecord(*ParseGrant(grant));
  }
  return change;
}

v1::Change Revoked(const std::string& serial, const std::string& name, const std::string& by) {
  v1::Change change;
  change.mutable_revoked()->set_issuer_key_id("issuer");
  change.mutable_revoked()->set_serial(serial);
  change.mutable_revoked()->set_name(name);
  change.mutable_revoked()->set_revoked_by(by);
  return change;
}

class ScopeTest : public FleetTest {
 protected:
  void Allow(const std::vector<std::string>& grants) { store_->AddNode("eu-west", grants); }
  std::unique_ptr<TestNode> JoinWith(const std::vector<std::string>& grants) {
    Allow(grants);
    return JoinNode();
  }
  bool HasCaughtUp(TestNode& node) {
    return Eventually([&] { return node.HasReached(*store_); });
  }
  // The keys of all rows of the node whose key or value contains `text`.
  static std::vector<std::string> KeysWith(TestNode& node, const std::string& text) {
    std::vector<std::string> keys;
    ScanRange range{.prefix = "", .after = "", .limit = 1000};
    for (;;) {
      const auto rows = *node.meta().Scan(range);
      for (const KeyValue& row : rows) {
        if (row.key.contains(text) || row.value.contains(text)) keys.push_back(row.key);
      }
      if (rows.size() < range.limit) return keys;
      range.after = rows.back().key;
    }
  }
  static std::vector<std::string> GrantsAt(TestNode& node, const std::string& user) {
    std::vector<std::string> grants;
    const auto found = node.users.Find(user);
    if (found == nullptr) return {"unknown"};
    for (const Grant& grant : found->grants) grants.push_back(ToString(grant));
    return grants;
  }
  static Rights RightsAt(TestNode& node, const std::string& user) {
    return node.users.RightsOf(node.users.Find(user), "");
  }
  Result<void> MayPull(TestNode& node, const std::string& user, const std::string& repository) {
    return RequireGrant(RightsAt(node, user), Action::kPull, *RepositoryName::Parse(repository));
  }
};

TEST_F(ScopeTest, I6ALimitedNodeReceivesNothingElse) {
  store_->PublishImage(kApp, "secret");
  store_->PublishTag(kApp, "secret-tag", DigestOf("x"));
  store_->PublishRepository(kTeam);
  store_->PublishImage(kTeam, "open");
  store_->Publish({UserWith("anna", {"pull:team/**", "push:library/*"}),
                   UserWith("berta", {"pull:library/**"}), UserWith("carl", {}, {"ops"}),
                   UserWith("dora", {}, {"others"}), GrantsOf("group:ops", {"pull:team/x"}),
                   GrantsOf("group:others", {"pull:library/x"}),
                   GrantsOf("anonymous", {"pull:library/y", "pull:team/y"})});
  store_->Publish({Revoked("1", "laptop-of-gerd", "the-admin")});
  const auto node = JoinWith({"pull:team/**"});
  EXPECT_EQ(node->Snapshots(), 1);
  for (const char* text : {"library", "secret", "berta", "dora", "others", "gerd", "the-admin"}) {
    EXPECT_THAT(KeysWith(*node, text), IsEmpty()) << text;
  }
  EXPECT_THAT(GrantsAt(*node, "anna"), ElementsAre("pull:team/**"));
  EXPECT_NE(node->users.Find("carl"), nullptr) << "by its group";
  EXPECT_THAT(node->ListRepositories()->items, ElementsAre(kTeam));

  // The same by changes as by the snapshot.
  const uint64_t before = node->sequence();
  store_->PublishTag(kApp, "secret-2", DigestOf("x"));
  store_->PublishTag(kTeam, "v1", DigestOf("x"));
  store_->Publish({UserWith("berta", {"pull:library/z"}), UserWith("emil", {"pull:library/**"}),
                   UserWith("frida", {"pull:**"}), GrantsOf("group:others", {"pull:library/q"}),
                   Revoked("2", "laptop-of-gerd", "the-admin")});
  ASSERT_TRUE(HasCaughtUp(*node)) << "omitted changes advance the position, too";
  EXPECT_GT(node->sequence(), before);
  for (const char* serial : {"1", "2"}) {
    CertificateIdentity laptop;
    laptop.issuer_key_id = "issuer";
    laptop.serial = serial;
    EXPECT_TRUE(node->users.IsRevoked(laptop));
  }
  for (const char* text : {"library", "secret", "berta", "emil", "others", "gerd", "the-admin"}) {
    EXPECT_THAT(KeysWith(*node, text), IsEmpty()) << text;
  }
  EXPECT_THAT(node->ListTags(kTeam)->items, ElementsAre("v1"));
  EXPECT_THAT(GrantsAt(*node, "frida"), ElementsAre("pull:**"));
  EXPECT_EQ(node->Snapshots(), 1);
}

TEST_F(ScopeTest, GroupsBringAndRemoveTheirMembers) {
  store_->Publish({UserWith("anna", {}, {"ops"}), UserWith("berta", {}, {"ops", "dev"}),
                   UserWith("carl", {}, {"dev"})});
  const auto node = JoinWith({"pull:team/**"});
  EXPECT_EQ(node->users.Find("anna"), nullptr);
  store_->Publish({GrantsOf("group:ops", {"pull:team/**"})});
  ASSERT_TRUE(HasCaughtUp(*node));
  EXPECT_NE(node->users.Find("anna"), nullptr);
  EXPECT_NE(node->users.Find("berta"), nullptr);
  EXPECT_EQ(node->users.Find("carl"), nullptr);
  store_->Publish({GrantsOf("group:dev", {"pull:team/a"}), GrantsOf("group:ops", {})});
  ASSERT_TRUE(HasCaughtUp(*node));
  EXPECT_EQ(node->users.Find("anna"), nullptr);
  EXPECT_NE(node->users.Find("berta"), nullptr);
  EXPECT_NE(node->users.Find("carl"), nullptr);
  store_->Publish({UserWith("carl", {}, {})});
  ASSERT_TRUE(HasCaughtUp(*node));
  EXPECT_EQ(node->users.Find("carl"), nullptr) << "it left the group";
  EXPECT_EQ(node->Snapshots(), 1);
}

// The build with sanitizers is too slow to measure.
constexpr std::chrono::seconds kOneSecond{testing_support::kSanitized ? 10 : 1};

// Repeated changes must not accumulate delay.
TEST_F(ScopeTest, I6PermissionsOfANodeAreInForceInASecond) {
  store_->Publish({UserWith("anna", {"pull:**"})});
  const auto node = JoinWith({"pull:team/**"});
  for (int i = 0; i < 10; ++i) {
    const bool may = i % 2 == 1;
    Allow({may ? "pull:team/**" : "pull:library/**"});
    EXPECT_TRUE(
        Eventually([&] { return MayPull(*node, "anna", kTeam).has_value() == may; }, kOneSecond))
        << "change " << i;
  }
}

// All changes are in one batch, and the node receives all members of each group.
TEST_F(ScopeTest, ManyGroupsMayChangeAtOnce) {
  std::vector<v1::Change> users;
  std::vector<v1::Change> groups;
  for (int i = 0; i < 300; ++i) {
    users.push_back(UserWith("user-" + std::to_string(i), {}, {"g" + std::to_string(i % 20)}));
    groups.push_back(GrantsOf("group:g" + std::to_string(i % 20), {"pull:team/**"}));
  }
  store_->Publish(users);
  const auto node = JoinWith({"pull:team/**"});
  EXPECT_EQ(node->users.Find("user-0"), nullptr);
  store_->Publish(groups);
  ASSERT_TRUE(HasCaughtUp(*node));
  for (int i = 0; i < 300; ++i) {
    EXPECT_NE(node->users.Find("user-" + std::to_string(i)), nullptr) << i;
  }
}

// A node whose certificate is revoked receives no further changes.
TEST_F(ScopeTest, I6AStreamEndsWithTheCertificateThatItBeganWith) {
  const auto node = JoinNode();
  const auto identity = *pki::Inspect(identity_.certificate_chain);
  store_->users.Revoke({identity.issuer_key_id, identity.serial});
  EXPECT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  const uint64_t before = node->sequence();
  store_->PublishTag(kApp, "secret", DigestOf("x"));
  EXPECT_FALSE(Eventually([&] { return node->sequence() > before; }, 1s));
}

// The group has more members than one batch holds. One node is disconnected when the group changes.
TEST_F(ScopeTest, LargeGroupsFollowInParts) {
  constexpr int kMembers = 700;
  std::vector<v1::Change> users;
  for (int i = 0; i < kMembers; ++i) {
    v1::Change user = UserWith("user-" + std::to_string(i), {}, {"ops"});
    user.mutable_user_set()->set_password_hash(std::string(300, 'h'));
    users.push_back(std::move(user));
  }
  store_->Publish(users);
  auto node = JoinWith({"pull:team/**"});
  EXPECT_EQ(node->users.Find("user-0"), nullptr);
  node.reset();
  store_->Publish({GrantsOf("group:ops", {"pull:team/**"})});
  node = JoinNode();
  EXPECT_EQ(node->Snapshots(), 0);
  for (int i = 0; i < kMembers; ++i) {
    EXPECT_NE(node->users.Find("user-" + std::to_string(i)), nullptr) << i;
  }
}

TEST_F(ScopeTest, I6ReducedPermissionsAreInForceAtOnceAndRowsFollow) {
  store_->PublishImage(kApp, "secret");
  store_->PublishRepository(kTeam);
  store_->Publish({UserWith("anna", {"pull,push:**"}), UserWith("berta", {"pull:library/**"})});
  const auto node = JoinNode();
  EXPECT_TRUE(MayPull(*node, "anna", kApp));
  EXPECT_NE(node->users.Find("berta"), nullptr);

  Allow({"pull:team/**"});
  EXPECT_TRUE(Eventually([&] { return !MayPull(*node, "anna", kApp).has_value(); }));
  EXPECT_EQ(MayPull(*node, "anna", kApp).error().code, ErrorCode::kDenied);
  EXPECT_TRUE(MayPull(*node, "anna", kTeam));
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_) && node->Snapshots() == 2; }));
  EXPECT_EQ(node->users.Find("berta"), nullptr);
  EXPECT_TRUE(Eventually([&] { return KeysWith(*node, "library").empty(); }))
      << "the old rows are removed, too";

  Allow({"pull,push:**"});
  EXPECT_TRUE(Eventually([&] { return MayPull(*node, "anna", kApp).has_value(); }));
  // The new permission is in force only when its rows have arrived.
  EXPECT_THAT(node->ListRepositories()->items, UnorderedElementsAre(kApp, kTeam));
  EXPECT_NE(node->users.Find("berta"), nullptr);
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 3; }));

  Allow({"pull:**"});  // the same rows
  EXPECT_TRUE(Eventually([&] {
    return !RightsAt(*node, "anna").Allows(Action::kPush, *RepositoryName::Parse(kApp));
  }));
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_EQ(node->Snapshots(), 3);
}

TEST_F(ScopeTest, ANodeRemembersItsPermissionsWhileTheStoreIsUnreachable) {
  store_->PublishRepository(kTeam);
  store_->Publish({UserWith("anna", {"pull:**"})});
  JoinWith({"pull:team/**"}).reset();
  store_->Stop();
  const auto node = StartNode();
  EXPECT_TRUE(MayPull(*node, "anna", kTeam));
  EXPECT_EQ(MayPull(*node, "anna", kApp).error().code, ErrorCode::kDenied);
}

// The store enforces a node's permissions; it does not rely on the node.
TEST_F(ScopeTest, I6TheStoreChecksEveryCallOfANode) {
  const TestStore::Image secret = store_->PublishImage(kApp, "secret");
  store_->PublishRepository(kTeam);
  const TestStore::Image open = store_->PublishImage(kTeam, "open");
  Allow({"pull:team/**"});
  const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity_, true));
  struct Case {
    const char* repository;
    const TestStore::Image& image;
    grpc::StatusCode code;
  };
  for (const Case& c : {Case{kTeam, open, grpc::OK}, Case{kApp, secret, grpc::PERMISSION_DENIED}}) {
    const std::string digest = c.image.digest.ToString();
    for (const bool of_blob : {false, true}) {
      v1::ResolveRequest request;
      request.set_repository(c.repository);
      if (of_blob) {
        request.set_blob(c.image.blobs[0].ToString());
      } else {
        request.set_reference(digest);
      }
      grpc::ClientContext context;
      v1::ResolveResponse answer;
      EXPECT_EQ(stub->Resolve(&context, request, &answer).error_code(), c.code) << c.repository;
    }
    v1::GetManifestRequest manifest;
    manifest.set_repository(c.repository);
    manifest.set_digest(digest);
    grpc::ClientContext context;
    v1::GetManifestResponse answer;
    EXPECT_EQ(stub->GetManifest(&context, manifest, &answer).error_code(), c.code);
    v1::ReadBlobRequest blob;
    blob.set_repository(c.repository);
    blob.set_digest(c.image.blobs[0].ToString());
    grpc::ClientContext blob_context;
    const auto reader = stub->ReadBlob(&blob_context, blob);
    v1::BlobChunk chunk;
    EXPECT_EQ(reader->Read(&chunk), c.code == grpc::OK);
    EXPECT_EQ(reader->Finish().error_code(), c.code);
  }
}

TEST_F(ScopeTest, I6ABlobInProgressEndsWithThePermission) {
  store_->PublishRepository(kTeam);
  const Digest digest = store_->PublishBlob(kTeam, std::string(64 << 20, 'x'));
  Allow({"pull:team/**"});
  const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity_, true));
  v1::ReadBlobRequest request;
  request.set_repository(kTeam);
  request.set_digest(digest.ToString());
  grpc::ClientContext context;
  const auto reader = stub->ReadBlob(&context, request);
  v1::BlobChunk chunk;
  ASSERT_TRUE(reader->Read(&chunk));
  Allow({"pull:other/**"});
  size_t more = 0;
  while (reader->Read(&chunk)) more += chunk.data().size();
  EXPECT_EQ(reader->Finish().error_code(), grpc::PERMISSION_DENIED);
  EXPECT_LT(more, 60u << 20);
}

}  // namespace
}  // namespace outport
