#include "store/uploads/orphaned_work.h"

#include <memory>
#include <string>

#include "outport/v1/record.pb.h"
#include "outport/v1/upload.pb.h"
#include "registry/records/intent_ledger.h"
#include "registry/records/rows.h"
#include "tests/store/uploads/uploads_fixture.h"

namespace outport::store {
namespace {

using std::chrono::seconds;

// This process, and another one that shares the metadata and the bytes.
class OrphanedWorkTest : public UploadsTest {
 protected:
  OrphanedWorkTest() { Configure({}); }

  void Configure(UploadLimits limits) {
    UploadsTest::Configure(limits);
    work_.emplace(store_.content->blobs, *uploads_, io_.pool());
    RenewOther();
  }
  void RenewOther() { ASSERT_TRUE(other_.Renew().has_value()); }
  std::string StartElsewhere(const std::string& bytes = "") {
    const auto started =
        Await(theirs_.Start(UserNamed("ann"), Repo("a"), DigestAlgorithm::kSha256));
    EXPECT_TRUE(started.has_value());
    ScriptedBody body(bytes);
    EXPECT_TRUE(Await(theirs_.Append(kAnn, Repo("a"), started->id, std::nullopt, body)));
    return started->id;
  }
  // Publishes an object for a commit that the other process does not complete.
  std::string CommitElsewhere(const std::string& bytes) {
    IntentLedger ledger({.meta = *store_.meta,
                         .blobs = *store_.bytes,
                         .durability = MetaTransaction::Durability::kSynced,
                         .owner = other_.id()});
    const auto writer = *store_.bytes->Create(Sha256(bytes));
    EXPECT_TRUE(writer->Append(AsBytes(bytes)).has_value());
    EXPECT_TRUE(ledger.Record(writer->object(), Sha256(bytes)).has_value());
    EXPECT_TRUE(writer->Commit(Sha256(bytes)).has_value());
    return writer->object();
  }
  OrphanedWork::Settled Settle() {
    const Result<OrphanedWork::Settled> settled = work_->Settle();
    EXPECT_TRUE(settled.has_value()) << settled.error().message;
    return settled.value_or(OrphanedWork::Settled());
  }
  // Lets the other process end, and finds that out.
  void EndOther() {
    store_.clock.Advance(Owner::kDuration);
    EXPECT_EQ(Settle().uploads, 0u) << "the margin has just begun";
    store_.clock.Advance(OwnerWatch::kMargin);
  }
  std::string OwnerOf(const std::string& id) {
    const auto row = ReadRow<v1::UploadRow>(*store_.meta, keys::Upload(id)).value();
    return row.has_value() ? row->owner() : "no row";
  }
  size_t Intents() {
    return store_.meta->Scan({.prefix = std::string(keys::kIntents), .after = {}})->size();
  }

  Owner other_{*store_.meta, store_.store_clock, Owner::Access::kShared};
  Uploads theirs_{{.meta = *store_.meta,
                   .bytes = *store_.bytes,
                   .blobs = store_.content->blobs,
                   .disk = io_.pool(),
                   .clock = store_.clock,
                   .store_clock = store_.store_clock,
                   .owner = other_,
                   .metrics = metrics_,
                   .log = Log::Nowhere(),
                   .boot_id = boot_id_}};
  std::optional<OrphanedWork> work_;
};

TEST_F(OrphanedWorkTest, AnUploadGoesOnInAnotherProcess) {
  const std::string id = StartElsewhere("hello");
  EXPECT_EQ(Settle().uploads, 0u);
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EndOther();
  EXPECT_EQ(Settle().uploads, 1u);
  EXPECT_EQ(OwnerOf(id), store_.owner->id());
  EXPECT_EQ(Received(id), 5u);
  EXPECT_TRUE(Finish(id, Sha256("hello world"), ScriptedBody(" world")).has_value());
  EXPECT_EQ(store_.PullBlob("a", Sha256("hello world")).value(), "hello world");
}

TEST_F(OrphanedWorkTest, AProcessThatIsOnlySlowKeepsItsWork) {
  const std::string id = StartElsewhere();
  CommitElsewhere("half");
  store_.clock.Advance(Owner::kDuration);
  EXPECT_EQ(Settle().uploads, 0u);
  RenewOther();
  store_.clock.Advance(Owner::kDuration + OwnerWatch::kMargin);
  const OrphanedWork::Settled settled = Settle();
  EXPECT_EQ(settled.uploads + settled.commits, 0u);
  EXPECT_EQ(OwnerOf(id), other_.id());
  EXPECT_EQ(Intents(), 1u);
}

TEST_F(OrphanedWorkTest, ACommitThatNobodyCompletesIsUndone) {
  const std::string object = CommitElsewhere("half");
  ASSERT_TRUE(std::filesystem::exists(store_.root / "blobs" / object));
  EndOther();
  EXPECT_EQ(Settle().commits, 1u);
  EXPECT_FALSE(std::filesystem::exists(store_.root / "blobs" / object));
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(OrphanedWorkTest, ACorruptIntentHoldsUpNothingElse) {
  const std::string id = StartElsewhere("hello");
  const std::string object = CommitElsewhere("half");
  v1::IntentRow row;
  row.set_digest("not a digest");
  row.set_owner(other_.id());
  const auto transaction = store_.meta->Begin();
  // Before the other intent in the order of the rows.
  ASSERT_TRUE(WriteRow(*transaction, keys::Intent("!"), row).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EndOther();
  EXPECT_EQ(CodeOf(work_->Settle()), ErrorCode::kCorrupt);
  EXPECT_EQ(OwnerOf(id), store_.owner->id());
  EXPECT_FALSE(std::filesystem::exists(store_.root / "blobs" / object));
  EXPECT_EQ(Intents(), 1u);
}

TEST_F(OrphanedWorkTest, OneProcessAtATimeSettles) {
  const std::string id = StartElsewhere();
  EndOther();
  Owner third(*store_.meta, store_.store_clock, Owner::Access::kShared);
  ASSERT_TRUE(third.Renew().has_value());
  WorkLease theirs(*store_.meta, store_.store_clock, "orphaned-work", third);
  ASSERT_TRUE(theirs.Acquire().value());
  EXPECT_EQ(Settle().uploads, 0u);
  EXPECT_EQ(OwnerOf(id), other_.id());
  ASSERT_TRUE(theirs.Release().has_value());
  EXPECT_EQ(Settle().uploads, 1u);
}

// The lease is lost between the look and the transaction.
TEST_F(OrphanedWorkTest, TheFenceIsCheckedInTheTransaction) {
  const std::string id = StartElsewhere("hello");
  const std::string object = CommitElsewhere("half");
  const auto is_dead = [](const std::string&) { return Result<bool>(true); };
  const auto fence = [](MetaTransaction&) -> Result<void> {
    return Error{ErrorCode::kFailedPrecondition, "the lease is lost"};
  };
  std::string after;
  const auto taken = uploads_->TakeOverPage(after, {.is_dead = is_dead, .fence = fence});
  EXPECT_EQ(taken.value(), 0u);
  EXPECT_EQ(OwnerOf(id), other_.id());
  EXPECT_EQ(StatCode(id), ErrorCode::kBlobUploadUnknown);
  EXPECT_FALSE(store_.content->blobs.SettleIntents("", is_dead, fence).has_value());
  EXPECT_TRUE(std::filesystem::exists(store_.root / "blobs" / object));
}

TEST_F(OrphanedWorkTest, SessionsForWhichThereIsNoRoomStay) {
  Configure({.sessions = {.sessions = 1}});
  const std::string mine = Start();
  const std::string id = StartElsewhere("hello");
  EndOther();
  EXPECT_EQ(Settle().uploads, 0u);
  EXPECT_EQ(OwnerOf(id), other_.id());
  ASSERT_TRUE(Await(uploads_->Cancel(kAnn, Repo("a"), mine)).has_value());
  EXPECT_EQ(Settle().uploads, 1u);
  EXPECT_EQ(Received(id), 5u);
}

TEST_F(OrphanedWorkTest, OldSessionsAreDiscarded) {
  const std::string id = StartElsewhere("hello");
  EndOther();
  store_.clock.Advance(std::chrono::hours(168));
  EXPECT_EQ(Settle().uploads, 1u);
  EXPECT_EQ(OwnerOf(id), "no row");
  EXPECT_TRUE(store_.Files("uploads").empty());
}

// The sessions have no bytes: they are lost, so the store discards their rows.
TEST_F(OrphanedWorkTest, SettlesAPageAtATime) {
  const auto transaction = store_.meta->Begin();
  for (size_t i = 0; i < StoredUploads::kPage + 10; ++i) {
    v1::UploadRow row;
    row.set_repository("a");
    row.set_algorithm("sha256");
    row.set_owner(other_.id());
    ASSERT_TRUE(WriteRow(*transaction, keys::Upload("u" + std::to_string(i)), row).has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  store_.clock.Advance(Owner::kDuration);
  for (int page = 0; page < 2; ++page) EXPECT_EQ(Settle().uploads, 0u);
  store_.clock.Advance(OwnerWatch::kMargin);
  EXPECT_EQ(Settle().uploads, StoredUploads::kPage);
  EXPECT_EQ(Settle().uploads, 10u);
  EXPECT_EQ(Settle().uploads, 0u);
}

}  // namespace
}  // namespace outport::store
