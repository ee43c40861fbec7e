#include "registry/records/intent_ledger.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "registry/base/bytes.h"
#include "registry/base/file.h"
#include "registry/base/log.h"
#include "registry/records/keys.h"
#include "registry/storage/disk/disk_blob_store.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

class IntentLedgerTest : public testing::Test {
 protected:
  IntentLedger LedgerOf(const std::string& owner) {
    return IntentLedger({.meta = *meta_,
                         .blobs = *blobs_,
                         .durability = MetaTransaction::Durability::kSynced,
                         .owner = owner});
  }
  // Commits a blob, with its intent. Returns its object.
  std::string Commit(const std::string& content) { return CommitIn(ledger_, content); }
  std::string CommitIn(IntentLedger& ledger, const std::string& content) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
    const auto writer = *blobs_->Create(digest);
    EXPECT_TRUE(writer->Append(AsBytes(content)).has_value());
    EXPECT_TRUE(ledger.Record(writer->object(), digest).has_value());
    EXPECT_TRUE(writer->Commit(digest).has_value());
    return writer->object();
  }
  bool Exists(const std::string& object) {
    return std::filesystem::exists(folder_.path() / "blobs" / object);
  }
  size_t Intents() {
    return meta_->Scan({.prefix = std::string(keys::kIntents), .after = {}})->size();
  }

  const TemporaryFolder folder_;
  PosixFileSystem files_;
  std::unique_ptr<MetaStore> meta_ =
      OpenRocksMetaStore({.folder = folder_.path() / "meta"}, Log::Nowhere()).value();
  std::unique_ptr<DiskBlobStore> blobs_ =
      DiskBlobStore::Open(files_, folder_.path(), "uploads", BlobWrites::kDirect).value();
  IntentLedger ledger_ = LedgerOf("earlier");
  const IntentLedger::IsDead everybody_ = [](const std::string&) { return Result<bool>(true); };
  const IntentLedger::IsNamed nothing_ = [](const std::string&, const Result<Digest>&) {
    return Result<bool>(false);
  };
};

TEST_F(IntentLedgerTest, ACompletedCommitHasNoIntent) {
  const std::string object = Commit("hello");
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(IntentLedger::Complete(*transaction, object).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(IntentLedgerTest, SettlingRemovesTheObjectsThatNoRowNames) {
  const std::string named = Commit("named");
  const std::string orphaned = Commit("orphaned");
  const auto is_named = [&](const std::string& object, const Result<Digest>& digest) {
    EXPECT_TRUE(digest.has_value());
    return Result<bool>(object == named);
  };
  EXPECT_EQ(ledger_.Settle(is_named, everybody_).value(), 2u);
  EXPECT_TRUE(Exists(named));
  EXPECT_FALSE(Exists(orphaned));
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(IntentLedgerTest, AnObjectThatCannotBeRemovedKeepsItsIntent) {
  const std::string stuck = Commit("stuck");
  const std::string orphaned = Commit("orphaned");
  const std::filesystem::path path = folder_.path() / "blobs" / stuck;
  std::filesystem::remove(path);
  std::filesystem::create_directories(path / "full");
  EXPECT_EQ(ledger_.Settle(nothing_, everybody_).value(), 1u);
  EXPECT_FALSE(Exists(orphaned));
  EXPECT_EQ(Intents(), 1u);
  std::filesystem::remove(path / "full");
  std::filesystem::remove(path);
  EXPECT_EQ(ledger_.Settle(nothing_, everybody_).value(), 1u) << "the next start tries again";
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(IntentLedgerTest, AnUnreadableIntentIsReported) {
  const std::string object = Commit("hello");
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(transaction->Put(keys::Intent(object), "\xff").has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  const auto fails = [](const std::string&, const Result<Digest>& digest) -> Result<bool> {
    TRY_VOID(digest);
    return true;
  };
  const Result<size_t> settled = ledger_.Settle(fails, everybody_);
  ASSERT_FALSE(settled.has_value());
  EXPECT_EQ(settled.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(Exists(object));
}

TEST_F(IntentLedgerTest, TheIntentsOfALivingOwnerAreLeftAlone) {
  IntentLedger other = LedgerOf("other");
  const std::string theirs = CommitIn(other, "theirs");
  const std::string orphaned = Commit("orphaned");
  const auto is_dead = [](const std::string& owner) { return Result<bool>(owner != "other"); };
  EXPECT_EQ(LedgerOf("me").Settle(nothing_, is_dead).value(), 1u);
  EXPECT_TRUE(Exists(theirs));
  EXPECT_FALSE(Exists(orphaned));
  EXPECT_EQ(Intents(), 1u);
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(IntentLedger::Complete(*transaction, theirs).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(IntentLedgerTest, AnIntentWithoutAnOwnerHasTheEmptyOwner) {
  IntentLedger old = LedgerOf("");
  CommitIn(old, "of an earlier release");
  std::string seen = "none";
  const auto is_dead = [&](const std::string& owner) {
    seen = owner;
    return Result<bool>(true);
  };
  EXPECT_EQ(ledger_.Settle(nothing_, is_dead).value(), 1u);
  EXPECT_EQ(seen, "");
}

TEST_F(IntentLedgerTest, MoreIntentsThanAPageAreSettled) {
  const auto transaction = meta_->Begin();
  const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(std::string_view("x")));
  for (int i = 0; i < 600; ++i) {
    const std::string object = "sha256/ab/abc." + std::to_string(i);
    const IntentLedger ledger = LedgerOf(i % 2 == 0 ? "other" : "earlier");
    ASSERT_TRUE(ledger.Record(*transaction, object, digest).has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  const auto is_dead = [](const std::string& owner) { return Result<bool>(owner != "other"); };
  EXPECT_EQ(ledger_.Settle(nothing_, is_dead).value(), 300u);
  EXPECT_EQ(Intents(), 300u);
}

TEST_F(IntentLedgerTest, APageIsSettledAtATime) {
  const auto transaction = meta_->Begin();
  const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(std::string_view("x")));
  for (size_t i = 0; i < IntentLedger::kPage + 10; ++i) {
    ASSERT_TRUE(
        ledger_.Record(*transaction, "sha256/ab/abc." + std::to_string(i), digest).has_value());
  }
  ASSERT_TRUE(transaction->Commit().has_value());
  IntentLedger me = LedgerOf("me");
  const IntentLedger::Rules rules{.is_named = nothing_, .is_dead = everybody_};
  const IntentLedger::Page first = me.SettlePage("", rules).value();
  EXPECT_EQ(first.settled, IntentLedger::kPage);
  EXPECT_EQ(Intents(), 10u);
  const IntentLedger::Page second = me.SettlePage(first.next, rules).value();
  EXPECT_EQ(second.settled, 10u);
  EXPECT_EQ(second.next, "");
  EXPECT_EQ(Intents(), 0u);
}

TEST_F(IntentLedgerTest, AFenceThatFailsLeavesTheObject) {
  const std::string object = Commit("fenced");
  const IntentLedger::Rules rules{
      .is_named = nothing_, .is_dead = everybody_, .fence = [](MetaTransaction&) -> Result<void> {
        return Error{ErrorCode::kFailedPrecondition, "the lease is lost"};
      }};
  EXPECT_FALSE(LedgerOf("me").SettlePage("", rules).has_value());
  EXPECT_TRUE(Exists(object));
  EXPECT_EQ(Intents(), 1u);
}

// A process that was so slow that another one took it for dead.
TEST_F(IntentLedgerTest, ASettledCommitCannotBeCompleted) {
  const std::string object = Commit("slow");
  EXPECT_EQ(LedgerOf("me").Settle(nothing_, everybody_).value(), 1u);
  const auto transaction = meta_->Begin();
  const Result<void> completed = IntentLedger::Complete(*transaction, object);
  ASSERT_FALSE(completed.has_value());
  EXPECT_EQ(completed.error().code, ErrorCode::kUnavailable);
}

TEST_F(IntentLedgerTest, ACommitThatCompletesMeanwhileIsNotUndone) {
  const std::string object = Commit("slow");
  const auto completes = [&](const std::string&) -> Result<bool> {
    const auto transaction = meta_->Begin();
    TRY_VOID(IntentLedger::Complete(*transaction, object));
    TRY_VOID(transaction->Commit());
    return true;
  };
  EXPECT_EQ(LedgerOf("me").Settle(nothing_, completes).value(), 0u);
  EXPECT_TRUE(Exists(object));
}

}  // namespace
}  // namespace outport
