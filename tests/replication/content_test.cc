#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/replication/test_node.h"
#include "tests/support/rights.h"

namespace outport {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

ErrorCode CodeOf(const auto& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

// The effects of the store's writes at a node.
class ContentTest : public FleetTest {
 protected:
  ContentTest() { config_ = store_->PublishBlob(kApp, "config"); }

  std::string Body(const std::string& extra) const {
    return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",)"
           R"("config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" +
           config_.ToString() + R"(","size":6},"layers":[])" + extra + "}";
  }
  Digest Push(const std::string& body, const std::vector<std::string>& tags = {}) {
    std::vector<Tag> parsed;
    for (const std::string& tag : tags) parsed.push_back(*Tag::Parse(tag));
    const RepositoryName name = *RepositoryName::Parse(kApp);
    const auto pushed = store_->manifests().Put(name, DigestOf(body), "", parsed, body, by_);
    EXPECT_TRUE(pushed) << pushed.error().message;
    return DigestOf(body);
  }
  Digest PushReferrer(const Digest& subject, const std::string& members) {
    return Push(Body(R"(,"subject":{"mediaType":"m","digest":")" + subject.ToString() +
                     R"(","size":1})" + members));
  }
  void Delete(const std::string& reference) {
    const RepositoryName name = *RepositoryName::Parse(kApp);
    const auto deleted = store_->manifests().Delete(name, *ParseReference(reference), by_);
    EXPECT_TRUE(deleted) << deleted.error().message;
  }
  void WaitFor(TestNode& node) {
    ASSERT_TRUE(Eventually([&] { return node.Follows(*store_); }));
  }
  std::vector<std::string> Referrers(TestNode& node, const Digest& subject) {
    const auto listed = node.ListReferrers(kApp, subject);
    EXPECT_TRUE(listed) << listed.error().message;
    std::vector<std::string> digests;
    if (!listed) return digests;
    for (const ReferrerInfo& info : listed->items) digests.push_back(info.digest.ToString());
    return digests;
  }

  const store::Actor by_ = store::Actor::Store();
  Digest config_ = DigestOf("");
};

TEST_F(ContentTest, DeletionsArriveByTheStream) {
  const Digest image = Push(Body(""), {"v1", "v2"});
  const Digest other = Push(Body(R"(,"annotations":{"a":"b"})"), {"other"});
  const auto node = JoinNode();
  ASSERT_TRUE(node->Get(kApp, "v1"));
  ASSERT_TRUE(node->ReadBlob(kApp, config_));

  Delete("v1");
  WaitFor(*node);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "v1")), ErrorCode::kManifestUnknown);
  EXPECT_TRUE(node->Get(kApp, "v2"));
  EXPECT_TRUE(node->Get(kApp, image.ToString()));

  Delete(image.ToString());
  WaitFor(*node);
  EXPECT_EQ(CodeOf(node->Get(kApp, "v2")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Get(kApp, image.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_THAT(node->ListTags(kApp)->items, ElementsAre("other"));

  Delete(other.ToString());
  ASSERT_TRUE(store_->links().Remove(*RepositoryName::Parse(kApp), config_, by_));
  WaitFor(*node);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, config_)), ErrorCode::kBlobUnknown)
      << "though the node has its bytes";
  EXPECT_EQ(node->Snapshots(), 1) << "no divergence";
}

TEST_F(ContentTest, DeletedContentIsInNoSnapshot) {
  const Digest image = Push(Body(""), {"v1", "v2"});
  const Digest signature = PushReferrer(image, "");
  Delete("v1");
  Delete(signature.ToString());
  const auto node = JoinNode();
  EXPECT_THAT(node->ListTags(kApp)->items, ElementsAre("v2"));
  EXPECT_THAT(Referrers(*node, image), IsEmpty());
  EXPECT_EQ(CodeOf(node->Get(kApp, signature.ToString())), ErrorCode::kManifestUnknown);
}

TEST_F(ContentTest, ReferrersArriveByTheStreamAndLeaveByIt) {
  const Digest image = Push(Body(""));
  const auto node = JoinNode();
  EXPECT_THAT(Referrers(*node, image), IsEmpty());
  // Many annotations: the log's hash must not depend on their order in memory.
  std::string annotations = R"(,"annotations":{"0":"0")";
  for (int i = 1; i < 50; ++i) {
    annotations += ",\"" + std::to_string(i * 7919) + "\":\"" + std::to_string(i) + '"';
  }
  const Digest signature = PushReferrer(image, annotations + "}");
  WaitFor(*node);
  EXPECT_THAT(Referrers(*node, image), ElementsAre(signature.ToString()));
  EXPECT_EQ(node->ListReferrers(kApp, image)->items[0].annotations.size(), 50u);
  Delete(signature.ToString());
  WaitFor(*node);
  EXPECT_THAT(Referrers(*node, image), IsEmpty());
  EXPECT_EQ(node->Snapshots(), 1) << "no divergence";
}

TEST_F(ContentTest, ReferrersArriveBySnapshotAsTheyWerePushed) {
  const Digest image = Push(Body(""));
  const Digest signature =
      PushReferrer(image, R"(,"artifactType":"application/sig","annotations":{"b":"2","a":"1"})");
  PushReferrer(image, R"(,"artifactType":"application/sbom")");
  const auto node = JoinNode();
  EXPECT_EQ(Referrers(*node, image).size(), 2u);
  const auto listed = node->ListReferrers(kApp, image, "application/sig");
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->items.size(), 1u);
  EXPECT_EQ(listed->items[0].digest, signature);
  EXPECT_EQ(listed->items[0].media_type, media_type::kOciManifest);
  EXPECT_EQ(listed->items[0].artifact_type, "application/sig");
  EXPECT_THAT(listed->items[0].annotations, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_FALSE(listed->stale.has_value());
  const auto first = node->ListReferrers(kApp, image, "", {"", 1});
  ASSERT_EQ(first->items.size(), 1u);
  EXPECT_EQ(node->ListReferrers(kApp, image, "", {first->next, 1})->items.size(), 1u);
}

// One referrer may be nearly as large as a manifest. Its message then exceeds gRPC's default limit.
TEST_F(ContentTest, AReferrerOfNearlyFourMebibytesArrives) {
  const auto node = JoinNode();
  const Digest image = Push(Body(""));
  const std::string large(kMaxManifestBytes - 2000, 'x');
  const Digest streamed = PushReferrer(image, R"(,"annotations":{"a":")" + large + "\"}");
  const Digest again = PushReferrer(image, R"(,"annotations":{"b":")" + large + "\"}");
  WaitFor(*node);
  EXPECT_EQ(Referrers(*node, image).size(), 1u) << "a page has the size of a manifest";
  EXPECT_EQ(node->Snapshots(), 1);
  const auto second =
      node->ListReferrers(kApp, image, "", {std::min(streamed.ToString(), again.ToString()), 100});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->items.size(), 1u);
}

TEST_F(ContentTest, I3AReferrerIsFoundTheMomentItWasPushed) {
  const Digest image = Push(Body(""));
  const auto node = JoinNode();
  for (int i = 0; i < 20; ++i) {
    const Digest subject = DigestOf("subject " + std::to_string(i));
    const Digest signature = PushReferrer(subject, "");
    EXPECT_THAT(Referrers(*node, subject), ElementsAre(signature.ToString()));
  }
}

TEST_F(ContentTest, I4OnlyTheStoreSaysNoReferrers) {
  const Digest image = Push(Body(""));
  const Digest signature = PushReferrer(image, "");
  const auto node = JoinNode();
  EXPECT_THAT(node->ListReferrers("no/such", image)->items, IsEmpty());
  store_->Stop();
  EXPECT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  clock_.Advance(1h);
  EXPECT_EQ(CodeOf(node->ListReferrers("no/such", image)), ErrorCode::kUnavailable);
  const auto listed = node->ListReferrers(kApp, image);
  ASSERT_TRUE(listed) << listed.error().message;
  ASSERT_EQ(listed->items.size(), 1u);
  EXPECT_EQ(listed->items[0].digest, signature);
  ASSERT_TRUE(listed->stale.has_value());
  EXPECT_GE(listed->stale->age, 1h);
}

TEST_F(ContentTest, AUserListsWhatItsGrantsLetItPull) {
  for (const char* name : {"team/a", "team/b", "team/b/c", "zoo"}) store_->PublishRepository(name);
  const auto node = JoinNode();
  const Visible visible = VisibleTo(RightsWith({"pull:team/*", "pull:zoo"}));
  const auto first = node->ListRepositories({"", 2}, visible);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(first->items, ElementsAre("team/a", "team/b"));
  EXPECT_TRUE(first->more);
  const auto second = node->ListRepositories({"team/b", 2}, visible);
  EXPECT_THAT(second->items, ElementsAre("zoo"));
  EXPECT_FALSE(second->more);
}

// A manifest that the node showed as deleted does not reappear, and a shown manifest stays.
TEST_F(ContentTest, I3AManifestShownAsDeletedDoesNotReappear) {
  const Digest image = Push(Body(""), {"v1"});
  const auto node = JoinNode();
  ASSERT_TRUE(node->Get(kApp, "v1"));
  node->StopSync();  // the replica keeps its position
  Delete(image.ToString());
  clock_.Advance(3s);
  ASSERT_EQ(CodeOf(node->Stat(kApp, "v1")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, "v1")), ErrorCode::kManifestUnknown);
  store_->Stop();
  EXPECT_EQ(CodeOf(node->Stat(kApp, "v1")), ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace outport
