#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "registry/rpc/unary.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

class SyncTest : public FleetTest {
 protected:
  void PublishTags(const std::string& prefix, int count) {
    for (int i = 0; i < count; ++i) {
      store_->PublishTag(kApp, prefix + std::to_string(i), DigestOf(prefix));
    }
  }
  // Compares the replicated rows of the store with the node's rows.
  void ExpectSameRows(TestNode& node) {
    for (const std::string prefix : {"repository/", "manifest/", "link/", "tag/"}) {
      SCOPED_TRACE(prefix);
      const uint64_t generation = GenerationOf(node);
      EXPECT_EQ(Rows(store_->meta(), "", prefix),
                Rows(node.meta(), keys::GenerationPrefix(generation), prefix));
    }
    EXPECT_EQ(Rows(store_->meta(), "", "user/"), Rows(node.meta(), "", "user/"));
  }

 private:
  static uint64_t GenerationOf(TestNode& node) {
    v1::ReplicaRow row;
    EXPECT_TRUE(row.ParseFromString(node.meta().Get(keys::kReplica)->value()));
    return row.generation();
  }
  static std::map<std::string, std::string> Rows(MetaStore& meta, const std::string& generation,
                                                 const std::string& prefix) {
    std::map<std::string, std::string> rows;
    ScanRange range{.prefix = generation + prefix, .after = "", .limit = 1000};
    for (;;) {
      const auto page = *meta.Scan(range);
      for (const KeyValue& row : page) rows[row.key.substr(generation.size())] = row.value;
      if (page.size() < range.limit) return rows;
      range.after = page.back().key;
    }
  }
};

TEST_F(SyncTest, FollowsFromASnapshotAndThenByChanges) {
  store_->PublishUser("anna");
  store_->PublishImage(kApp, "first");
  const auto node = JoinNode();
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  ExpectSameRows(*node);
  EXPECT_NE(node->users.Find("anna"), nullptr);

  PublishTags("v", 20);
  store_->DeleteTag(kApp, "v3");
  store_->PublishUser("berta");
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  ExpectSameRows(*node);
  EXPECT_NE(node->users.Find("berta"), nullptr);
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
}

TEST_F(SyncTest, AcknowledgesItsPosition) {
  const auto node = JoinNode();
  PublishTags("v", 3);
  EXPECT_TRUE(Eventually([&] {
    const auto presence = store_->nodes.Find("eu-west");
    return presence->connected && presence->acknowledged_sequence == store_->Head().sequence &&
           presence->last_ping_ms != 0 && presence->version == "test";
  }));
}

TEST_F(SyncTest, RestartedNodeContinuesFromItsPosition) {
  JoinNode().reset();
  PublishTags("v", 1200);  // several batches
  const auto node = JoinNode();
  EXPECT_EQ(node->Snapshots(), 0);
  ExpectSameRows(*node);
}

TEST_F(SyncTest, RestartedStoreIsFollowedAgain) {
  const auto node = JoinNode();
  store_->Stop();
  EXPECT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  PublishTags("v", 10);
  store_->Start();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  ExpectSameRows(*node);
}

TEST_F(SyncTest, I10AnotherHistoryWithTheSameNumbersIsSeen) {
  store_->PublishTag(kApp, "a", DigestOf("a"));
  auto node = JoinNode();
  node.reset();
  // A diverged copy of the store: the same epoch and sequence, other content.
  auto other = std::make_unique<TestStore>(loop_, authority_, folder_.path() / "other");
  other->AddNode("eu-west");
  other->PublishRepository(kApp);
  other->PublishTag(kApp, "b", DigestOf("b"));
  store_->Stop();
  other->UsePortOf(*store_);
  store_ = std::move(other);
  store_->Start();

  node = JoinNode();
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  ExpectSameRows(*node);
}

TEST_F(SyncTest, I10NewEpochIsAnotherHistory) {
  PublishTags("v", 3);
  auto node = JoinNode();
  auto other = std::make_unique<TestStore>(loop_, authority_, folder_.path() / "other", "epoch-2");
  other->AddNode("eu-west");
  other->PublishRepository("other/app");
  store_->Stop();
  other->UsePortOf(*store_);
  store_ = std::move(other);
  store_->Start();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 2; })) << node->Snapshots();
  ExpectSameRows(*node);
}

TEST_F(SyncTest, OldGenerationIsRemovedDuringTheStream) {
  PublishTags("v", 2500);
  auto node = JoinNode();
  auto other = std::make_unique<TestStore>(loop_, authority_, folder_.path() / "other", "epoch-2");
  other->AddNode("eu-west");
  other->PublishRepository("other/app");
  store_->Stop();
  other->UsePortOf(*store_);
  store_ = std::move(other);
  store_->Start();
  ASSERT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  const double streams = node->Count("outport_node_sync_attempts_total");
  auto rows = [&] { return node->meta().Scan({.prefix = "g/", .after = "", .limit = 10})->size(); };
  EXPECT_TRUE(Eventually([&] { return rows() == 1; }));
  EXPECT_TRUE(node->IsConnected());
  EXPECT_EQ(node->Count("outport_node_sync_attempts_total"), streams);
}

TEST_F(SyncTest, ContentsOfADeletedManifestAreRemoved) {
  const TestStore::Image kept = store_->PublishImage(kApp, "kept");
  const TestStore::Image gone = store_->PublishImage(kApp, "gone");
  auto node = JoinNode();
  node->PullAndKeep(kApp, kept);
  node->PullAndKeep(kApp, gone);
  v1::Change change;
  change.mutable_manifest_deleted()->set_repository(kApp);
  change.mutable_manifest_deleted()->set_digest(gone.digest.ToString());
  store_->Publish({change});
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  node.reset();
  node = JoinNode();
  auto has = [&](const Digest& digest) {
    return node->meta().Get(keys::Content(digest))->has_value();
  };
  EXPECT_TRUE(Eventually([&] { return !has(gone.digest); }));
  EXPECT_TRUE(has(kept.digest));
}

TEST_F(SyncTest, I10SnapshotDuringWrites) {
  PublishTags("before", 3000);
  std::thread writer([this] { PublishTags("during", 800); });
  const auto node = StartNode();
  writer.join();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  ExpectSameRows(*node);
}

TEST_F(SyncTest, I10CutStreamsAreResumed) {
  const auto node = JoinNode();
  std::thread writer([this] { PublishTags("v", 2000); });
  for (int cut = 0; cut < 10; ++cut) {
    const uint64_t seen = node->sequence();
    EXPECT_TRUE(Eventually([&] { return node->sequence() > seen || node->HasReached(*store_); }));
    store_->nodes.Cut("eu-west");
  }
  writer.join();
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(Eventually([&] { return node->Snapshots() == 1; })) << node->Snapshots();
  EXPECT_GT(node->Count("outport_node_sync_attempts_total"), 1);
  ExpectSameRows(*node);
}

TEST_F(SyncTest, I9NodeThatLostItsFolderComesBackTheSame) {
  store_->PublishUser("anna");
  const TestStore::Image image = store_->PublishImage(kApp, "first");
  store_->PublishTag(kApp, "latest", image.digest);
  auto node = JoinNode();
  node->PullAndKeep(kApp, image);
  node.reset();
  std::filesystem::remove_all(folder_.path() / "node");

  node = JoinNode();
  ExpectSameRows(*node);
  const auto manifest = node->Get(kApp, "latest");
  ASSERT_TRUE(manifest);
  EXPECT_EQ(manifest->info.digest, image.digest);
  EXPECT_EQ(*node->ReadBlob(kApp, image.blobs[0]), "config of first");
}

TEST_F(SyncTest, I6UserThatWasRemovedIsGoneInASecond) {
  store_->PublishUser("anna");
  const auto node = JoinNode();
  ASSERT_NE(node->users.Find("anna"), nullptr);
  v1::Change removed;
  removed.mutable_user_deleted()->set_name("anna");
  store_->Publish({removed});
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }, 1s));
}

TEST_F(SyncTest, I11NodeThatIsKilledKnowsItsAge) {
  const auto node = JoinNode();
  // The node writes the proof soon after the first pong, because a kill leaves no time for it.
  EXPECT_TRUE(Eventually(
      [&] {
        v1::ReplicaRow row;
        return row.ParseFromString(node->meta().Get(keys::kReplica)->value()) &&
               row.proven_fresh_ms() > ToUnixMillis(clock_.Wall()) - 60'000;
      },
      4s));
}

TEST_F(SyncTest, PolicyOfTheStoreReachesTheNode) {
  const auto node = JoinNode();
  store_->Stop();
  store_->policy.set_max_staleness_ms(1);
  store_->Start();
  EXPECT_TRUE(Eventually([&] {
    v1::ReplicaRow row;
    return row.ParseFromString(node->meta().Get(keys::kReplica)->value()) &&
           row.policy().max_staleness_ms() == 1;
  }));
}

TEST_F(SyncTest, AnExceptionEndsTheStreamAndTheNextOneFollows) {
  const auto node = JoinNode();
  clock_.BreakElsewhere(true);
  EXPECT_TRUE(Eventually([&] { return !node->IsConnected(); }, 5s));
  clock_.BreakElsewhere(false);
  EXPECT_TRUE(Eventually([&] { return node->Follows(*store_); }));
}

// A node that sends a Hello, and then reads only when the test asks for it.
class Stalled {
 public:
  Stalled(const std::string& address, const rpc::TlsIdentity& identity)
      : stub_(v1::Replication::NewStub(rpc::Dial(address, identity, true))),
        stream_(stub_->Sync(&context_)) {
    v1::NodeMessage hello;
    hello.mutable_hello()->set_version("stalled");
    EXPECT_TRUE(stream_->Write(hello));
  }
  // Reads to the end of the snapshot.
  size_t ReadSnapshot() {
    v1::StoreMessage message;
    size_t rows = 0;
    while (stream_->Read(&message)) {
      rows += static_cast<size_t>(message.snapshot().rows_size());
      if (message.snapshot().last()) break;
    }
    return rows;
  }
  // Reads to the end and returns the stream's status.
  grpc::Status ReadToEnd() {
    v1::StoreMessage message;
    while (stream_->Read(&message)) {
    }
    return stream_->Finish();
  }
  ~Stalled() { context_.TryCancel(); }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::Replication::Stub> stub_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::NodeMessage, v1::StoreMessage>> stream_;
};

TEST_F(SyncTest, ANodeThatReadsNothingDelaysNobody) {
  store_->AddNode("slow");
  for (int i = 0; i < 100; ++i) {
    std::vector<v1::Change> changes(100);
    for (int k = 0; k < 100; ++k) {
      changes[k].mutable_tag_set()->set_repository(kApp);
      changes[k].mutable_tag_set()->set_tag("t" + std::to_string(i * 100 + k));
      changes[k].mutable_tag_set()->mutable_row()->set_media_type(std::string(500, 'm'));
    }
    store_->Publish(changes);
  }
  Stalled slow(store_->address(), authority_.Issue(Role::kNode, "slow"));
  ASSERT_TRUE(Eventually([&] {
    const auto presence = store_->nodes.Find("slow");
    return presence.has_value() && presence->version == "stalled";
  }));
  const auto node = JoinNode();
  store_->PublishTag(kApp, "after", DigestOf("after"));
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_EQ(slow.ReadSnapshot(), 10001u) << "the stream continues where it stopped";
  store_->nodes.Cut("slow");
  slow.ReadToEnd();
}

TEST_F(SyncTest, TheStatusSaysWhyAStreamEnded) {
  Stalled first(store_->address(), identity_);
  ASSERT_TRUE(Eventually([&] { return store_->nodes.Find("eu-west").has_value(); }));
  Stalled second(store_->address(), identity_);
  const grpc::Status superseded = first.ReadToEnd();
  EXPECT_EQ(superseded.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(superseded.error_message(), testing::HasSubstr("node 'eu-west'"));
  EXPECT_THAT(superseded.error_message(), testing::HasSubstr("from 127.0.0.1"));

  store_->nodes.CutAll();
  const grpc::Status stopping = second.ReadToEnd();
  EXPECT_EQ(stopping.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(stopping.error_message(), testing::HasSubstr("the store is stopping"));
}

// Each machine's stream ends the other's. Neither may reconnect in a tight loop.
TEST_F(SyncTest, TwoMachinesOfOneNameDoNotRace) {
  const auto first = StartNode();
  TestNode second(loop_, identity_, folder_.path() / "second", store_->address(), clock_);
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_TRUE(Eventually(
      [&] {
        return first->Count("outport_node_sync_attempts_total") +
                   second.Count("outport_node_sync_attempts_total") >=
               16;
      },
      60s));
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 2s);
}

TEST_F(SyncTest, SecondStreamOfANodeReplacesTheFirst) {
  bool first_cut = false;
  const uint64_t first = store_->nodes.Connect("n", "a", [&](const Error&) { first_cut = true; });
  const uint64_t second = store_->nodes.Connect("n", "b", [](const Error&) {});
  EXPECT_TRUE(first_cut);
  store_->nodes.Disconnect("n", first);  // late: must not disconnect the second stream
  EXPECT_TRUE(store_->nodes.Find("n")->connected);
  EXPECT_EQ(store_->nodes.Find("n")->address, "b");
  store_->nodes.Disconnect("n", second);
  EXPECT_FALSE(store_->nodes.Find("n")->connected);
}

// Calls of a node, made without a node.
class AccessTest : public FleetTest {
 protected:
  Error Ask(const rpc::TlsIdentity& identity) {
    const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity, true));
    const auto answer = loop_.RunToEnd([&]() -> net::awaitable<Result<v1::ResolveResponse>> {
      auto invoke = [&](auto... arguments) { stub->async()->Resolve(arguments...); };
      v1::ResolveRequest request;
      request.set_repository(kApp);
      request.set_reference("latest");
      rpc::CallOptions options{
          .operation = "asking", .timeout = std::chrono::seconds(5), .request_id = ""};
      co_return co_await rpc::Call<v1::ResolveResponse>(invoke, request, options);
    });
    return answer.has_value() ? Error{ErrorCode::kInternal, "was answered"} : answer.error();
  }
};

TEST_F(AccessTest, OnlyNodesMayAsk) {
  EXPECT_EQ(Ask(authority_.Issue(Role::kClient, "laptop")).code, ErrorCode::kDenied);
  EXPECT_EQ(Ask(authority_.Issue(Role::kAdmin, "root")).code, ErrorCode::kDenied);
  rpc::TlsIdentity nobody = identity_;
  nobody.certificate_chain.clear();
  nobody.private_key.clear();
  EXPECT_EQ(Ask(nobody).code, ErrorCode::kUnauthorized);
}

TEST_F(AccessTest, ARemovedNodeLearnsHowToRejoin) {
  const Error error = Ask(authority_.Issue(Role::kNode, "removed"));
  EXPECT_EQ(error.code, ErrorCode::kDenied);
  EXPECT_THAT(error.message, testing::HasSubstr("outportctl node invite"));
  TestNode node(loop_, authority_.Issue(Role::kNode, "removed"), folder_.path() / "removed",
                store_->address(), clock_);
  EXPECT_TRUE(Eventually([&] { return node.Count("outport_node_sync_attempts_total") > 2; }));
  EXPECT_FALSE(node.IsConnected());
  EXPECT_EQ(node.sequence(), 0u);
}

}  // namespace
}  // namespace outport
