#include <gmock/gmock.h>

#include "tests/replication/relay_fixture.h"

namespace outport {
namespace {

using testing::HasSubstr;

TEST_F(RelayTest, APushThroughANodeIsVisibleThere) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "new", {"config", LargeContent(3'000'000)});
  const auto manifest = node->Get(kApp, "new");
  ASSERT_TRUE(manifest) << manifest.error().message;
  EXPECT_EQ(manifest->info.digest, digest);
  EXPECT_EQ(*node->ReadBlob(kApp, DigestOf(LargeContent(3'000'000))), LargeContent(3'000'000));
  EXPECT_EQ(node->Count("outport_node_relayed_writes_unapplied_total"), 0);
  EXPECT_GE(node->sequence(), store_->Head().sequence) << "the answer waited for the replica";
}

TEST_F(RelayTest, I3AMovedTagIsVisibleAtOnceAtALaggingNode) {
  const auto node = JoinNode();
  node->StopSync();  // the replica keeps its position
  const Digest digest = Push(node->registry(), "latest", {"config", "layer"});
  EXPECT_EQ(node->Stat(kApp, "latest")->digest, digest);
  EXPECT_GE(node->Count("outport_node_relayed_writes_unapplied_total"), 1);
  for (const char* blob : {"config", "layer"}) {
    ASSERT_TRUE(node->ReadBlob(kApp, DigestOf(blob)));
    ASSERT_TRUE(Eventually([&] { return node->IsCached(DigestOf(blob)); }));
  }
  ASSERT_TRUE(node->Get(kApp, "latest"));
  const auto by_digest = node->Stat(kApp, digest.ToString());
  EXPECT_TRUE(by_digest) << by_digest.error().message;
  EXPECT_THAT(node->ListTags(kApp)->items, testing::ElementsAre("latest"));
  store_->Stop();
  EXPECT_EQ(node->Stat(kApp, "latest")->digest, digest)
      << "the answer went back to the replica's older one";
}

TEST_F(RelayTest, ALaggingNodeKnowsTheTypeOfAManifest) {
  const auto node = JoinNode();
  node->StopSync();
  for (const char* blob : {"config", "layer"}) ASSERT_TRUE(PushBlob(node->registry(), blob));
  const std::string manifest(media_type::kOciManifest);
  for (const std::string& content_type : {std::string(), manifest, manifest + "; charset=utf-8"}) {
    SCOPED_TRACE(content_type);
    const auto pushed = loop_.RunToEnd([&]() -> net::awaitable<Result<PushedManifest>> {
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference tag = *ParseReference("typed");
      const Caller caller = Ann();
      const std::string body = ManifestOf({"config", "layer"});
      co_return co_await node->registry().PutManifest(caller, name, tag, content_type, {}, body);
    });
    ASSERT_TRUE(pushed) << pushed.error().message;
    EXPECT_EQ(node->Stat(kApp, "typed")->media_type, manifest);
  }
}

TEST_F(RelayTest, ADeleteThroughANodeIsVisibleThere) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "a", {"config", "layer"});
  ASSERT_TRUE(Put(node->registry(), "b", ManifestOf({"config", "layer"})));
  EXPECT_EQ(CodeOf(DeleteBlob(node->registry(), DigestOf("layer"))), ErrorCode::kUnsupported);
  ASSERT_TRUE(Delete(node->registry(), "a"));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kManifestUnknown);
  EXPECT_TRUE(node->Stat(kApp, "b"));
  ASSERT_TRUE(Delete(node->registry(), digest.ToString()));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "b")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(Delete(node->registry(), "a")), ErrorCode::kManifestUnknown);
  ASSERT_TRUE(DeleteBlob(node->registry(), DigestOf("layer")));
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(node->Count("outport_node_relayed_writes_unapplied_total"), 0);
}

TEST_F(RelayTest, I3ADeleteThroughALaggingNodeIsNotUndone) {
  const auto node = JoinNode();
  const Digest digest = Push(node->registry(), "a", {"config", "layer"});
  node->StopSync();
  ASSERT_TRUE(Delete(node->registry(), digest.ToString()));
  ASSERT_TRUE(DeleteBlob(node->registry(), DigestOf("layer")));
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kManifestUnknown);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kBlobUnknown);
  store_->Stop();
  EXPECT_EQ(CodeOf(node->Stat(kApp, "a")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->Stat(kApp, digest.ToString())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(node->ReadBlob(kApp, DigestOf("layer"))), ErrorCode::kUnavailable);
}

TEST_F(RelayTest, ASessionContinuesAtAnotherNodeAndEndsAtTheStore) {
  const auto node = JoinNode();
  store_->AddNode("us-east");
  const rpc::TlsIdentity other_identity = authority_.Issue(Role::kNode, "us-east");
  TestNode other(loop_, other_identity, folder_.path() / "other", store_->address(), clock_);
  const std::string content = LargeContent(5'000'000);
  const auto session = Start(node->registry());
  ASSERT_TRUE(session) << session.error().message;
  ClientBody first(content.substr(0, 2'000'000), /*announced=*/true);
  ASSERT_EQ(Append(node->registry(), session->id, first)->size_bytes, 2'000'000u);
  ClientBody second(content.substr(2'000'000, 2'500'000));
  const auto appended = Append(other.registry(), session->id, second,
                               ByteRange{.offset = 2'000'000, .size = 2'500'000});
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(Stat(node->registry(), session->id)->size_bytes, 4'500'000u);
  ClientBody rest(content.substr(4'500'000));
  const auto pushed = Finish(store_->registry(), session->id, DigestOf(content), rest);
  ASSERT_TRUE(pushed) << pushed.error().message;
  EXPECT_EQ(*other.ReadBlob(kApp, DigestOf(content)), content);
}

TEST_F(RelayTest, ARejectedUploadSendsNoByte) {
  const auto node = JoinNode();
  ClientBody body(LargeContent(1'000'000), /*announced=*/true);
  EXPECT_EQ(CodeOf(Append(node->registry(), "unknown", body)), ErrorCode::kBlobUploadUnknown);
  const auto session = Start(node->registry());
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body, ByteRange{7, 1'000'000})),
            ErrorCode::kRangeInvalid);
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body, std::nullopt, Ann("wrong"))),
            ErrorCode::kUnauthorized);
  EXPECT_EQ(body.asked_for(), 0u);
}

TEST_F(RelayTest, ARejectionEndsTheWaitForTheClient) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(4'000'000));
  body.StallAt(3'000'000);
  const auto begun = std::chrono::steady_clock::now();
  const auto appended = Append(node->registry(), session->id, body, ByteRange{0, 1'000'000});
  EXPECT_EQ(CodeOf(appended), ErrorCode::kSizeInvalid);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST_F(RelayTest, BytesSentBeforeADisconnectStay) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  const std::string content = LargeContent(4'000'000);
  ClientBody body(content, /*announced=*/true);
  body.LeaveAt(2'500'000);
  const auto appended = Append(node->registry(), session->id, body);
  EXPECT_EQ(CodeOf(appended), ErrorCode::kCancelled);
  EXPECT_EQ(Stat(node->registry(), session->id)->size_bytes, 2'500'000u);
  ClientBody rest(content.substr(2'500'000));
  EXPECT_TRUE(Finish(node->registry(), session->id, DigestOf(content), rest));
}

TEST_F(RelayTest, ALostStoreIsUnavailable) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody body(LargeContent(4'000'000));
  body.StallAt(3'000'000);
  std::thread stop([&] {
    EXPECT_TRUE(Eventually([&] { return body.asked_for() > 20; }));
    store_->Stop();
  });
  EXPECT_EQ(CodeOf(Append(node->registry(), session->id, body)), ErrorCode::kUnavailable);
  stop.join();
  EXPECT_EQ(CodeOf(Start(node->registry())), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(Put(node->registry(), "x", ManifestOf({"a", "b"}))), ErrorCode::kUnavailable);
}

TEST_F(RelayTest, ErrorsAreRelayedCompletely) {
  const auto node = JoinNode();
  std::vector<std::string> missing;
  for (int i = 0; i < 2000; ++i) missing.push_back("missing " + std::to_string(i));
  const auto put = Put(node->registry(), "x", ManifestOf(missing));
  ASSERT_EQ(CodeOf(put), ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(put.error().items.size(), kMaxErrorItems) << "more bytes than a gRPC status can hold";
  EXPECT_THAT(put.error().message, HasSubstr("lacks 2000 blobs"));
  EXPECT_THAT(put.error().message, HasSubstr("there are 1900 more"));
  const auto session = Start(node->registry());
  ClientBody body("these bytes");
  EXPECT_EQ(CodeOf(Finish(node->registry(), session->id, DigestOf("others"), body)),
            ErrorCode::kDigestInvalid);
}

TEST_F(RelayTest, EmptyBodies) {
  const auto node = JoinNode();
  const auto session = Start(node->registry());
  ClientBody announced("", /*announced=*/true);
  EXPECT_EQ(Append(node->registry(), session->id, announced)->size_bytes, 0u);
  ClientBody chunked("");
  EXPECT_EQ(Append(node->registry(), session->id, chunked)->size_bytes, 0u);
  ClientBody last("", /*announced=*/true);
  EXPECT_TRUE(Finish(node->registry(), session->id, DigestOf(""), last));
}

}  // namespace
}  // namespace outport
