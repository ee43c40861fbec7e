#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "registry/records/rows.h"
#include "tests/replication/test_node.h"

namespace outport {
namespace {

ErrorCode CodeOf(const auto& result) {
  return result.has_value() ? ErrorCode::kInternal : result.error().code;
}

// HEAD requests at a node, by callers who may push and by callers who may not.
class TouchTest : public FleetTest {
 protected:
  TouchTest() {
    image_ = store_->PublishImage(kApp, "one");
    store_->PublishTag(kApp, "latest", image_.digest);
  }

  static Caller Asking(bool may_push) {
    return {.user = "u",
            .certificate_name = "c",
            .address = "a",
            .request_id = "r-1",
            .may_push = may_push};
  }
  Result<BlobInfo> HeadBlob(TestNode& node, const Digest& digest, bool may_push) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<BlobInfo>> {
      const Caller caller = Asking(may_push);
      const RepositoryName name = *RepositoryName::Parse(kApp);
      co_return co_await node.registry().StatBlob(caller, name, digest);
    });
  }
  Result<ManifestInfo> HeadManifest(TestNode& node, const std::string& reference, bool may_push) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<ManifestInfo>> {
      const Caller caller = Asking(may_push);
      const RepositoryName name = *RepositoryName::Parse(kApp);
      const Reference parsed = *ParseReference(reference);
      co_return co_await node.registry().StatManifest(caller, name, parsed);
    });
  }
  // The leases in the store's rows.
  int64_t LeaseOfBlob(const Digest& digest) {
    const auto row =
        *ReadRow<v1::LinkRow>(store_->meta(), keys::Link(*RepositoryName::Parse(kApp), digest));
    return row.has_value() ? row->lease_until_ms() : -1;
  }
  int64_t LeaseOfManifest(const Digest& digest) {
    const auto row = *ReadRow<v1::ManifestRow>(
        store_->meta(), keys::ManifestOf(*RepositoryName::Parse(kApp), digest));
    return row.has_value() ? row->lease_until_ms() : -1;
  }
  void RemoveLink(const Digest& digest) {
    v1::Change change;
    change.mutable_unlink()->set_repository(kApp);
    change.mutable_unlink()->set_digest(digest.ToString());
    store_->Publish({change});
  }

  TestStore::Image image_{DigestOf(""), {}};
};

TEST_F(TouchTest, AHeadByAPusherRenewsTheLeaseAtTheStore) {
  const auto node = JoinNode();
  const Digest blob = image_.blobs.front();
  ASSERT_EQ(LeaseOfBlob(blob), 0);
  EXPECT_TRUE(HeadBlob(*node, blob, true));
  EXPECT_GT(LeaseOfBlob(blob), ToUnixMillis(clock_.Wall()));
  EXPECT_EQ(LeaseOfBlob(image_.blobs.back()), 0);
  EXPECT_EQ(node->Count("outport_node_fetches_started_total"), 0);
}

TEST_F(TouchTest, AHeadByAPullerWritesNothing) {
  const auto node = JoinNode();
  EXPECT_TRUE(HeadBlob(*node, image_.blobs.front(), false));
  EXPECT_TRUE(HeadManifest(*node, "latest", false));
  EXPECT_EQ(LeaseOfBlob(image_.blobs.front()), 0);
  EXPECT_EQ(LeaseOfManifest(image_.digest), 0);
  EXPECT_EQ(node->Resolves(), 0);
}

TEST_F(TouchTest, AHeadOfAManifestRenewsItsLeaseByTagAndByDigest) {
  const auto node = JoinNode();
  const Digest other = store_->PublishImage(kApp, "two").digest;
  EXPECT_TRUE(HeadManifest(*node, "latest", true));
  EXPECT_GT(LeaseOfManifest(image_.digest), 0);
  EXPECT_TRUE(HeadManifest(*node, other.ToString(), true));
  EXPECT_GT(LeaseOfManifest(other), 0);
}

TEST_F(TouchTest, TheNodeAnswersAloneWhileHalfOfTheLeaseIsLeft) {
  const auto node = JoinNode();
  const Digest blob = image_.blobs.front();
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(HeadBlob(*node, blob, true));
    EXPECT_TRUE(HeadManifest(*node, "latest", true));
    EXPECT_TRUE(HeadManifest(*node, image_.digest.ToString(), true));
  }
  EXPECT_EQ(node->Resolves(), 2) << "one for the blob, one for the manifest";
  clock_.Advance(std::chrono::minutes(31));  // the lease is one hour
  ASSERT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(HeadBlob(*node, blob, true));
  EXPECT_TRUE(HeadManifest(*node, image_.digest.ToString(), true));
  EXPECT_EQ(node->Resolves(), 4);
}

// The node must not answer by its lease alone: the client has deleted the blob since.
TEST_F(TouchTest, ALeaseDoesNotHideADeletion) {
  const auto node = JoinNode();
  const Digest blob = image_.blobs.front();
  ASSERT_TRUE(HeadBlob(*node, blob, true));
  RemoveLink(blob);
  ASSERT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_EQ(CodeOf(HeadBlob(*node, blob, true)), ErrorCode::kBlobUnknown);
}

TEST_F(TouchTest, WhatTheStoreRemovedIsAbsentForAPusher) {
  const auto node = JoinNode();
  node->StopSync();
  const Digest blob = image_.blobs.front();
  RemoveLink(blob);
  EXPECT_TRUE(HeadBlob(*node, blob, false)) << "the replica still has the link";
  EXPECT_EQ(CodeOf(HeadBlob(*node, blob, true)), ErrorCode::kBlobUnknown);
}

TEST_F(TouchTest, ABlobInQuarantineIsAbsentForAPusher) {
  const auto node = JoinNode();
  const Digest blob = image_.blobs.front();
  auto row = **ReadRow<v1::BlobRow>(store_->meta(), keys::Blob(blob));
  row.clear_object();
  const auto transaction = store_->meta().Begin();
  ASSERT_TRUE(WriteRow(*transaction, keys::Blob(blob), row));
  ASSERT_TRUE(transaction->Commit());
  EXPECT_EQ(CodeOf(HeadBlob(*node, blob, true)), ErrorCode::kBlobUnknown);
}

TEST_F(TouchTest, I11WithoutTheStoreTheReplicaAnswers) {
  const auto node = JoinNode();
  node->PullAndKeep(kApp, image_);
  store_->Stop();
  ASSERT_TRUE(Eventually([&] { return !node->IsConnected(); }));
  EXPECT_TRUE(HeadBlob(*node, image_.blobs.front(), true));
  EXPECT_TRUE(HeadManifest(*node, image_.digest.ToString(), true));
  EXPECT_TRUE(HeadManifest(*node, "latest", true));
  EXPECT_EQ(CodeOf(HeadBlob(*node, DigestOf("absent"), true)), ErrorCode::kUnavailable);
}

// A transaction holds the locks for longer than the store waits. The store may be collecting the
// blob, so the node must not answer from its rows.
TEST_F(TouchTest, I7WithoutALeaseAConnectedNodeDoesNotAnswerAPusher) {
  const auto node = JoinNode();
  const Digest blob = image_.blobs.front();
  {
    const auto collecting = store_->meta().Begin();
    ASSERT_TRUE(collecting->GetForUpdate(keys::Blob(blob)));
    EXPECT_EQ(CodeOf(HeadBlob(*node, blob, true)), ErrorCode::kUnavailable);
    EXPECT_TRUE(HeadBlob(*node, blob, false));
  }
  EXPECT_TRUE(HeadBlob(*node, blob, true));
  EXPECT_GT(LeaseOfBlob(blob), 0);
}

TEST_F(TouchTest, APushThatTheReplicaLacksIsFound) {
  const auto node = JoinNode();
  node->StopSync();
  const Digest blob = store_->PublishBlob(kApp, "new");
  EXPECT_TRUE(HeadBlob(*node, blob, true));
  EXPECT_GT(LeaseOfBlob(blob), 0);
}

TEST_F(TouchTest, NobodyPushesThroughAReadOnlyNode) {
  const auto node = StartNode(/*read_only=*/true);
  ASSERT_TRUE(Eventually([&] { return node->Follows(*store_); }));
  EXPECT_TRUE(HeadBlob(*node, image_.blobs.front(), true));
  EXPECT_EQ(LeaseOfBlob(image_.blobs.front()), 0);
}

// The store does not rely on what the node says about its clients.
TEST_F(TouchTest, ANodeThatMayOnlyPullRenewsNoLease) {
  const Digest blob = image_.blobs.front();
  v1::ResolveRequest request;
  request.set_repository(kApp);
  request.set_blob(blob.ToString());
  const auto stub = v1::Replication::NewStub(rpc::Dial(store_->address(), identity_, true));
  for (const bool may_push : {false, true}) {
    SCOPED_TRACE(may_push);
    store_->AddNode("eu-west", {may_push ? "pull,push:library/**" : "pull:library/**"});
    for (const bool touch : {false, true}) {
      request.set_touch(touch);
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + 20s);
      v1::ResolveResponse response;
      const grpc::Status status = stub->Resolve(&context, request, &response);
      EXPECT_EQ(status.error_code(),
                touch && !may_push ? grpc::StatusCode::PERMISSION_DENIED : grpc::StatusCode::OK);
      EXPECT_EQ(response.found(), status.ok());
      EXPECT_EQ(response.lease_left_ms() > 0, touch && may_push);
    }
    EXPECT_EQ(LeaseOfBlob(blob) > 0, may_push);
  }
}

}  // namespace
}  // namespace outport
