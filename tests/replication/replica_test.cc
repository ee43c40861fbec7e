#include "node/replica/replica.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "node/replica/change_rows.h"
#include "node/replica/replica_rows.h"
#include "registry/records/keys.h"
#include "tests/replication/change_hash.h"
#include "tests/replication/loop.h"

namespace outport::node {
namespace {

// A replica in a folder. The tests apply batches and snapshots directly.
class ReplicaTest : public testing::Test {
 protected:
  ReplicaTest() { Open(); }

  void Open() {
    replica_.reset();
    meta_.reset();
    meta_ = OpenMeta(folder_.path() / "node");
    replica_ = *Replica::Open(*meta_, users_);
    rows_ = std::make_unique<ReplicaRows>(*meta_);
  }

  static v1::Change Tag(const std::string& tag, const std::string& media_type = "m") {
    v1::Change change;
    change.mutable_tag_set()->set_repository("r");
    change.mutable_tag_set()->set_tag(tag);
    change.mutable_tag_set()->mutable_row()->set_media_type(media_type);
    return change;
  }
  static v1::Change UserNamed(const std::string& name) {
    v1::Change change;
    change.mutable_user_set()->set_name(name);
    return change;
  }
  static v1::StoreMessage::SnapshotPart Part(uint64_t sequence, bool last,
                                             const std::vector<v1::Change>& rows) {
    v1::StoreMessage::SnapshotPart part;
    part.mutable_position()->set_epoch("e");
    part.mutable_position()->set_sequence(sequence);
    part.mutable_position()->set_hash(std::string(32, 'h'));
    part.set_last(last);
    for (const v1::Change& row : rows) *part.add_rows() = row;
    return part;
  }
  // A batch that follows the replica's position.
  v1::StoreMessage::Batch Following(const std::vector<v1::Change>& changes) {
    v1::StoreMessage::Batch batch;
    batch.set_from(replica_->position().sequence());
    batch.set_to(batch.from() + changes.size());
    std::string hash = replica_->position().hash();
    for (const v1::Change& change : changes) {
      *batch.add_changes() = change;
      hash = NextHash(hash, change.SerializeAsString());
    }
    batch.set_hash(hash);
    return batch;
  }
  std::vector<std::string> Tags() {
    return rows_->ListTags(*RepositoryName::Parse("r"), "", 100)->names;
  }
  size_t RowsInGenerations() {
    return meta_->Scan({.prefix = "g/", .after = "", .limit = 10000})->size();
  }
  void RemoveAllGarbage() {
    while (*replica_->RemoveGarbage()) {
    }
  }
  using Names = std::vector<std::string>;

  TemporaryFolder folder_;
  AccessDirectory users_;
  std::unique_ptr<MetaStore> meta_;
  std::unique_ptr<Replica> replica_;
  std::unique_ptr<ReplicaRows> rows_;
};

TEST_F(ReplicaTest, StartsFromNothing) {
  EXPECT_EQ(replica_->position().epoch(), "");
  EXPECT_EQ(Tags(), Names());
}

TEST_F(ReplicaTest, AppliesASnapshotThenBatchesInOrder) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, false, {UserNamed("u"), Tag("a")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {Tag("b")})));
  v1::Change gone;
  gone.mutable_tag_deleted()->set_repository("r");
  gone.mutable_tag_deleted()->set_tag("a");
  ASSERT_TRUE(replica_->Apply(Following({Tag("c"), gone})));
  EXPECT_EQ(Tags(), (Names{"b", "c"}));
  EXPECT_EQ(replica_->position().sequence(), 9u);
  EXPECT_NE(users_.Find("u"), nullptr);
}

TEST_F(ReplicaTest, I10BatchAndPositionAreOne) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {Tag("a")})));
  ASSERT_TRUE(replica_->Apply(Following({Tag("b"), UserNamed("u")})));
  const v1::Position position = replica_->position();
  users_.ReplaceAll({});
  Open();
  EXPECT_EQ(replica_->position().SerializeAsString(), position.SerializeAsString());
  EXPECT_EQ(Tags(), (Names{"a", "b"}));
  EXPECT_NE(users_.Find("u"), nullptr);
}

TEST_F(ReplicaTest, I10BatchOfAnotherHistoryIsRejected) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {Tag("a")})));
  v1::StoreMessage::Batch batch = Following({Tag("b")});
  batch.set_hash(std::string(32, 'x'));
  const Result<void> applied = replica_->Apply(batch);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(Tags(), Names{"a"});
  EXPECT_EQ(replica_->position().sequence(), 7u);
}

TEST_F(ReplicaTest, I10BatchThatLeavesAGapIsRejected) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {})));
  v1::StoreMessage::Batch batch = Following({Tag("b")});
  batch.set_from(8);
  batch.set_to(9);
  const Result<void> applied = replica_->Apply(batch);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, ErrorCode::kFailedPrecondition);
}

TEST_F(ReplicaTest, UnfinishedSnapshotLeavesTheOlderOneServing) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {Tag("a")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(20, false, {UserNamed("u"), Tag("b")})));
  EXPECT_EQ(Tags(), Names{"a"});
  EXPECT_NE(users_.Find("u"), nullptr) << "users apply at once";
  Open();  // as after a crash
  EXPECT_EQ(Tags(), Names{"a"});
  EXPECT_EQ(replica_->position().sequence(), 7u);
  EXPECT_NE(users_.Find("u"), nullptr);
  RemoveAllGarbage();
  EXPECT_EQ(RowsInGenerations(), 1u);
  EXPECT_EQ(Tags(), Names{"a"});
}

TEST_F(ReplicaTest, SnapshotReplacesTheOldGeneration) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {UserNamed("old"), Tag("a"), Tag("b")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(3, true, {UserNamed("new"), Tag("b", "other")})));
  EXPECT_EQ(Tags(), Names{"b"});
  EXPECT_EQ(replica_->position().sequence(), 3u);
  EXPECT_EQ(users_.Find("old"), nullptr);
  EXPECT_NE(users_.Find("new"), nullptr);
  RemoveAllGarbage();
  EXPECT_EQ(RowsInGenerations(), 1u);
  Open();
  EXPECT_EQ(users_.Find("old"), nullptr);
}

TEST_F(ReplicaTest, SnapshotWithoutUsersRemovesThemAll) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {UserNamed("old")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(8, true, {})));
  EXPECT_EQ(users_.Find("old"), nullptr);
}

TEST_F(ReplicaTest, AbandonedSnapshotIsNotMixedWithTheNext) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, false, {Tag("a")})));
  replica_->AbandonSnapshot();
  ASSERT_TRUE(replica_->ApplySnapshot(Part(8, true, {Tag("b")})));
  EXPECT_EQ(Tags(), Names{"b"});
  RemoveAllGarbage();
  EXPECT_EQ(Tags(), Names{"b"});
}

TEST_F(ReplicaTest, GarbageIsRemovedDuringASnapshot) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {Tag("old")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(8, true, {Tag("a"), Tag("b")})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, false, {Tag("c")})));
  RemoveAllGarbage();
  EXPECT_EQ(RowsInGenerations(), 3u);
  EXPECT_EQ(Tags(), (Names{"a", "b"}));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, true, {Tag("d")})));
  EXPECT_EQ(Tags(), (Names{"c", "d"}));
}

TEST_F(ReplicaTest, UnreferencedContentsAreRemoved) {
  std::vector<v1::Change> manifests;
  for (const std::string content : {"kept", "later", "gone"}) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
    v1::Change& change = manifests.emplace_back();
    change.mutable_manifest_put()->set_repository("r");
    change.mutable_manifest_put()->set_digest(digest.ToString());
    const auto transaction = meta_->Begin();
    ASSERT_TRUE(transaction->Put(keys::Content(digest), content));
    ASSERT_TRUE(transaction->Commit());
  }
  auto contents = [&] {
    std::vector<std::string> found;
    const ScanRange all{.prefix = "content/", .after = "", .limit = 10};
    for (const KeyValue& row : *meta_->Scan(all)) found.push_back(row.value);
    std::ranges::sort(found);
    return found;
  };
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {manifests[0]})));
  ASSERT_TRUE(*replica_->CollectContents());
  ASSERT_TRUE(*replica_->RemoveContents());  // scans the rows
  ASSERT_TRUE(replica_->Apply(Following({manifests[1]})));
  while (*replica_->RemoveContents()) {
  }
  EXPECT_EQ(contents(), (Names{"kept", "later"}));
  EXPECT_FALSE(*replica_->CollectContents());
  EXPECT_TRUE(*replica_->CollectContents()) << "another round";
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, true, {manifests[1]})));
  while (*replica_->RemoveContents()) {
  }
  EXPECT_EQ(contents(), Names{"later"}) << "only the serving generation counts";
}

TEST_F(ReplicaTest, KeepsTheLastProof) {
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, {})));
  ASSERT_TRUE(replica_->RecordProof(123456));
  Open();
  EXPECT_EQ(replica_->proven_ms(), 123456);
}

TEST_F(ReplicaTest, LargeGarbageIsRemovedInSteps) {
  std::vector<v1::Change> rows;
  for (int i = 0; i < 2500; ++i) rows.push_back(Tag("t" + std::to_string(i)));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(7, true, rows)));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(8, true, {Tag("b")})));
  int steps = 0;
  while (*replica_->RemoveGarbage()) ++steps;
  EXPECT_GE(steps, 2);
  EXPECT_EQ(RowsInGenerations(), 1u);
}

// Users apply before rows. After an unfinished snapshot, the users have one scope and the rows
// another: the replica must state a scope that no store sends.
TEST_F(ReplicaTest, UnfinishedSnapshotLeavesAScopeThatNoStoreSends) {
  v1::Change repository;
  repository.mutable_repository()->set_repository("r");
  const auto welcome = [](const char* pattern) {
    v1::StoreMessage::Welcome told;
    told.add_permissions()->add_actions("pull");
    told.mutable_permissions(0)->set_pattern(pattern);
    return told;
  };
  ASSERT_TRUE(replica_->SetTerms(welcome("r/**")));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(5, true, {UserNamed("anna"), repository})));
  EXPECT_EQ(replica_->scope(), Names{"r/**"});

  ASSERT_TRUE(replica_->SetTerms(welcome("**")));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, false, {UserNamed("berta"), repository})));
  EXPECT_NE(users_.Find("berta"), nullptr);
  for (const bool restarted : {false, true}) {
    if (restarted) Open();
    replica_->AbandonSnapshot();
    EXPECT_EQ(replica_->scope(), (Names{"r/**", ""})) << restarted;
    EXPECT_EQ(replica_->position().sequence(), 5u);
  }
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, false, {UserNamed("berta"), repository})));
  ASSERT_TRUE(replica_->ApplySnapshot(Part(9, true, {Tag("t")})));
  EXPECT_EQ(replica_->scope(), Names{"**"});
}

}  // namespace
}  // namespace outport::node
