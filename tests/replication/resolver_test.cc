#include "node/freshness/resolver.h"

#include <gtest/gtest.h>

#include <boost/asio/use_future.hpp>

#include "node/blobs/links.h"
#include "node/manifests/manifest_locator.h"
#include "node/replica/change_rows.h"
#include "tests/replication/asked_store.h"
#include "tests/replication/change_hash.h"
#include "tests/replication/loop.h"

namespace outport::node {
namespace {

// A node's answers for the tag "r:a". The tests apply changes to the replica directly, and delay
// the store's answers.
class ResolverTest : public testing::Test {
 protected:
  explicit ResolverTest(Resolver::Limits limits = {}) : limits_(limits) {
    SetPolicy(2s, 0s);
    v1::StoreMessage::SnapshotPart part;
    *part.mutable_position() = At(7);
    *part.add_rows() = TagAt("old");
    part.set_last(true);
    EXPECT_TRUE(replica_->ApplySnapshot(part));
    store_.Answer(Found("old", At(7)));
  }
  ~ResolverTest() override {
    store_.Release();
    EXPECT_TRUE(tasks_.DrainBlocking(std::chrono::steady_clock::now() + 10s));
    pool_.Stop();
  }

  void SetPolicy(std::chrono::milliseconds max_staleness,
                 std::chrono::milliseconds stale_if_error) {
    v1::StoreMessage::Welcome welcome;
    welcome.mutable_policy()->set_max_staleness_ms(max_staleness.count());
    welcome.mutable_policy()->set_stale_if_error_ms(stale_if_error.count());
    welcome.mutable_policy()->set_serve_stale(stale_if_error > 0s);
    EXPECT_TRUE(replica_->SetTerms(welcome));
  }
  static v1::Position At(uint64_t sequence) {
    v1::Position position;
    position.set_epoch("e");
    position.set_sequence(sequence);
    position.set_hash(std::string(32, 'h'));
    return position;
  }
  static std::string DigestOf(const std::string& name) {
    return Digest::Of(DigestAlgorithm::kSha256, AsBytes(name)).ToString();
  }
  static v1::Change TagAt(const std::string& name) {
    v1::Change change;
    change.mutable_tag_set()->set_repository("r");
    change.mutable_tag_set()->set_tag("a");
    change.mutable_tag_set()->mutable_row()->set_digest(DigestOf(name));
    return change;
  }
  static v1::Change LinkTo(const std::string& name) {
    v1::Change change;
    change.mutable_link()->set_repository("r");
    change.mutable_link()->set_digest(DigestOf(name));
    change.mutable_link()->mutable_row()->set_size_bytes(1);
    return change;
  }
  static v1::Change ManifestAt(const std::string& name) {
    v1::Change change;
    change.mutable_manifest_put()->set_repository("r");
    change.mutable_manifest_put()->set_digest(DigestOf(name));
    change.mutable_manifest_put()->mutable_row()->set_size_bytes(1);
    return change;
  }
  static v1::ResolveResponse Found(const std::string& name, const v1::Position& head) {
    v1::ResolveResponse answer;
    answer.set_found(true);
    answer.set_repository_known(true);
    answer.set_digest(DigestOf(name));
    *answer.mutable_head() = head;
    return answer;
  }
  // Brings the replica to `sequence` by a partial batch with this change.
  void Apply(const v1::Change& change, uint64_t sequence) {
    v1::StoreMessage::Batch batch;
    batch.set_from(replica_->position().sequence());
    batch.set_to(sequence);
    batch.set_hash(NextHash(replica_->position().hash(), change.SerializeAsString()));
    batch.set_partial(true);
    *batch.add_changes() = change;
    ASSERT_TRUE(replica_->Apply(batch));
  }
  void ProveFresh() {
    const v1::Position applied = replica_->position();
    freshness_.RecordApplied(applied.epoch(), applied.sequence());
    freshness_.RecordPong(clock_.SinceBoot(), applied.epoch(), applied.sequence());
  }

  static std::string Told(const Result<LocatedManifest>& located) {
    return located.has_value() ? located->info.digest.ToString() : located.error().message;
  }
  std::string Locate() { return Told(LocateReference("a")); }
  Result<LocatedManifest> LocateReference(const std::string& text) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<LocatedManifest>> {
      const Caller caller;
      const RepositoryName name = *RepositoryName::Parse("r");
      const Reference reference = *ParseReference(text);
      co_return co_await locator_.Locate(caller, name, reference);
    });
  }
  Result<BlobInfo> RequireBlob(const std::string& blob) {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<BlobInfo>> {
      const Caller caller;
      const RepositoryName name = *RepositoryName::Parse("r");
      const Digest digest = *Digest::Parse(DigestOf(blob));
      co_return co_await links_.Require(caller, name, digest);
    });
  }
  // The answers to a HEAD by a client that may push: of the tag, and of a blob.
  Result<LocatedManifest> ConfirmTag() {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<LocatedManifest>> {
      const Caller caller;
      const RepositoryName name = *RepositoryName::Parse("r");
      const Reference reference = *ParseReference("a");
      co_return co_await locator_.Confirm(caller, name, reference);
    });
  }
  Result<BlobInfo> ConfirmBlob(const std::string& blob, const std::string& user = "ann") {
    return loop_.RunToEnd([&]() -> net::awaitable<Result<BlobInfo>> {
      Caller caller;
      caller.user = user;
      caller.holder = {.kind = HolderKind::kUser, .name = user};
      const RepositoryName name = *RepositoryName::Parse("r");
      const Digest digest = *Digest::Parse(DigestOf(blob));
      co_return co_await links_.Confirm(caller, name, digest);
    });
  }
  static ErrorCode CodeOf(const auto& result) {
    return result.has_value() ? ErrorCode::kInternal : result.error().code;
  }

  const Resolver::Limits limits_;
  Loop loop_;
  TemporaryFolder folder_;
  ShiftedClock clock_;
  Metrics metrics_;
  AccessDirectory users_;
  AskedStore store_;
  std::atomic<bool> connected_ = true;
  std::unique_ptr<MetaStore> meta_ = OpenMeta(folder_.path() / "node");
  std::unique_ptr<Replica> replica_ = *Replica::Open(*meta_, users_);
  ReplicaRows rows_{*meta_};
  Freshness freshness_{clock_, 0};
  StalenessRule rule_{*replica_, freshness_, metrics_};
  BlockingPool pool_{"node", 4, 1000};
  TaskGroup tasks_{loop_.executor(), Log::Nowhere()};
  Resolver resolver_{{.channel = std::make_shared<StoreChannel>(store_.Dial()),
                      .replica = *replica_,
                      .rows = rows_,
                      .meta = *meta_,
                      .pool = pool_,
                      .tasks = tasks_,
                      .clock = clock_,
                      .metrics = metrics_,
                      .log = Log::Nowhere(),
                      .limits = limits_}};
  ManifestLocator locator_{{.replica = *replica_,
                            .rule = rule_,
                            .resolver = resolver_,
                            .clock = clock_,
                            .store_is_connected = [this] { return connected_.load(); }}};
  Links links_{{.replica = *replica_,
                .rule = rule_,
                .resolver = resolver_,
                .clock = clock_,
                .store_is_connected = [this] { return connected_.load(); }}};
};

TEST_F(ResolverTest, I3NewerReplicaWins) {
  Apply(TagAt("middle"), 8);
  store_.Answer(Found("middle", At(8)));
  store_.Hold();
  auto slow = std::async(std::launch::async, [this] { return Locate(); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  Apply(TagAt("new"), 9);
  ProveFresh();
  ASSERT_EQ(Locate(), DigestOf("new"));
  store_.Release();
  EXPECT_EQ(slow.get(), DigestOf("new")) << "the answer is older than one that was shown";
}

TEST_F(ResolverTest, I3TagDeletedInTheReplicaDoesNotReappear) {
  store_.Hold();
  auto slow = std::async(std::launch::async, [this] { return Locate(); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  v1::Change gone;
  gone.mutable_tag_deleted()->set_repository("r");
  gone.mutable_tag_deleted()->set_tag("a");
  Apply(gone, 8);
  store_.Release();
  EXPECT_NE(slow.get(), DigestOf("old"));
}

TEST_F(ResolverTest, I3NewerAnswerOfTheStoreWins) {
  store_.Answer(Found("new", At(9)));
  EXPECT_EQ(Locate(), DigestOf("new"));
  Apply(TagAt("middle"), 8);
  ProveFresh();
  EXPECT_EQ(Locate(), DigestOf("new"));
  Apply(TagAt("newest"), 10);
  ProveFresh();
  EXPECT_EQ(Locate(), DigestOf("newest"));
  EXPECT_EQ(store_.asked(), 1);
}

TEST_F(ResolverTest, I3JoinedAnswerIsNoOlderThanAllowed) {
  store_.Hold();
  auto first = std::async(std::launch::async, [this] { return Locate(); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  clock_.Advance(3s);
  store_.Answer(Found("new", At(8)));
  // Joins the open question before the store's answer is released.
  const auto strand = net::make_strand(loop_.executor());
  auto join = [this]() -> net::awaitable<std::string> {
    const ResolveQuestion question = AskManifest(*RepositoryName::Parse("r"), *ParseReference("a"));
    const auto resolved = co_await resolver_.Resolve("r-2", question);
    co_return resolved.has_value() ? resolved->answer.content->digest.ToString()
                                   : resolved.error().message;
  };
  auto joined = net::co_spawn(strand, join, net::use_future);
  net::post(strand, [this] { store_.Release(); });
  EXPECT_EQ(joined.get(), DigestOf("new"));
  first.get();
}

TEST_F(ResolverTest, I7OnlyWithoutTheStoreTheReplicaAnswersAPusher) {
  Apply(LinkTo("blob"), 8);
  ProveFresh();
  store_.Fail(true);
  EXPECT_EQ(CodeOf(ConfirmBlob("blob")), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(ConfirmTag()), ErrorCode::kUnavailable);
  connected_ = false;
  ProveFresh();
  EXPECT_TRUE(ConfirmBlob("blob"));
  EXPECT_EQ(Told(ConfirmTag()), DigestOf("old"));
  EXPECT_EQ(store_.asked(), 4);
}

TEST_F(ResolverTest, TheStoreHasTimeForItsLocksBeforeItRenewsALease) {
  Apply(LinkTo("blob"), 8);
  ProveFresh();
  store_.Answer(Found("blob", At(8)));
  store_.Hold();
  auto slow = std::async(std::launch::async, [this] { return ConfirmBlob("blob"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  // A real lock wait: other questions would have failed after a second.
  EXPECT_EQ(slow.wait_for(1500ms), std::future_status::timeout);
  store_.Release();
  EXPECT_TRUE(slow.get());
}

TEST_F(ResolverTest, I7ALeaseEndsWhenTheStoreBeginsAnotherEpoch) {
  Apply(LinkTo("blob"), 8);
  ProveFresh();
  v1::ResolveResponse leased = Found("blob", At(8));
  leased.set_lease_left_ms(3600000);
  store_.Answer(leased);
  resolver_.BeginEpoch("e");
  EXPECT_TRUE(ConfirmBlob("blob"));
  EXPECT_TRUE(ConfirmBlob("blob"));
  EXPECT_EQ(store_.asked(), 1);
  resolver_.BeginEpoch("f");  // the replica is still in "e"
  EXPECT_TRUE(ConfirmBlob("blob"));
  EXPECT_EQ(store_.asked(), 2);
}

// A node whose limit of open questions is reached. The age of its rows is unknown.
class BusyNodeTest : public ResolverTest {
 protected:
  BusyNodeTest() : ResolverTest({.questions = 0}) {
    Apply(LinkTo("blob"), 8);
    Apply(ManifestAt("manifest"), 9);
  }
};

TEST_F(BusyNodeTest, ADigestInItsRowsIsAnsweredWithoutAQuestion) {
  EXPECT_TRUE(RequireBlob("blob"));
  const Result<LocatedManifest> located = LocateReference(DigestOf("manifest"));
  ASSERT_TRUE(located) << located.error().message;
  EXPECT_FALSE(located->store_unreachable) << "the node can fetch what it lacks";
  EXPECT_EQ(store_.asked(), 0);
}

TEST_F(BusyNodeTest, WhatTheRowsMustNotAnswerIsRejected) {
  EXPECT_EQ(CodeOf(RequireBlob("other")), ErrorCode::kTooManyRequests);
  EXPECT_EQ(CodeOf(LocateReference(DigestOf("other"))), ErrorCode::kTooManyRequests);
  SetPolicy(2s, 3600s);
  ProveFresh();
  clock_.Advance(10s);
  EXPECT_EQ(CodeOf(LocateReference("a")), ErrorCode::kTooManyRequests) << "the tag may have moved";
  connected_ = false;
  const Result<LocatedManifest> stale = LocateReference("a");
  ASSERT_TRUE(stale) << stale.error().message;
  EXPECT_TRUE(stale->info.stale.has_value());
}

// Whoever may push needs the lease that only the store gives.
class PushersOfANodeTest : public ResolverTest {
 protected:
  PushersOfANodeTest() : ResolverTest({.touches = 4, .touches_of_holder = 1}) {
    Apply(LinkTo("one"), 8);
    Apply(LinkTo("two"), 9);
    Apply(LinkTo("three"), 10);
    Apply(LinkTo("four"), 11);
    ProveFresh();
  }
};

TEST_F(PushersOfANodeTest, OneUserTakesAtMostHalfOfAllQuestions) {
  store_.Hold();
  auto first = std::async(std::launch::async, [this] { return ConfirmBlob("one", "ann"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  auto second = std::async(std::launch::async, [this] { return ConfirmBlob("two", "ann"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 2; })) << "nobody else needs the place";
  const Result<BlobInfo> third = ConfirmBlob("three", "ann");
  EXPECT_EQ(CodeOf(third), ErrorCode::kTooManyRequests);
  EXPECT_TRUE(third.error().message.contains("user:ann has 2")) << third.error().message;
  auto of_bob = std::async(std::launch::async, [this] { return ConfirmBlob("three", "bob"); });
  EXPECT_TRUE(Eventually([&] { return store_.asked() == 3; }));
  store_.Release();
  EXPECT_TRUE(first.get());
  EXPECT_TRUE(second.get());
  EXPECT_TRUE(of_bob.get());
  EXPECT_TRUE(ConfirmBlob("three", "ann")) << "the user's questions have ended";
}

// Another user's questions leave fewer places for one who has more than the sure one.
TEST_F(PushersOfANodeTest, AUserHasLessWhileOthersAsk) {
  store_.Hold();
  auto of_bob = std::async(std::launch::async, [this] { return ConfirmBlob("one", "bob"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 1; }));
  auto also_of_bob = std::async(std::launch::async, [this] { return ConfirmBlob("two", "bob"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 2; }));
  auto of_ann = std::async(std::launch::async, [this] { return ConfirmBlob("three", "ann"); });
  ASSERT_TRUE(Eventually([&] { return store_.asked() == 3; })) << "one place is sure";
  EXPECT_EQ(CodeOf(ConfirmBlob("four", "ann")), ErrorCode::kTooManyRequests);
  store_.Release();
  EXPECT_TRUE(of_bob.get());
  EXPECT_TRUE(also_of_bob.get());
  EXPECT_TRUE(of_ann.get());
}

}  // namespace
}  // namespace outport::node
