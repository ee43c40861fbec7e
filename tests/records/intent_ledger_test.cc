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
  // Commits a blob, with its intent. Returns its object.
  std::string Commit(const std::string& content) {
    const Digest digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
    const auto writer = *blobs_->Create(digest);
    EXPECT_TRUE(writer->Append(AsBytes(content)).has_value());
    EXPECT_TRUE(ledger_.Record(writer->object(), digest).has_value());
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
  IntentLedger ledger_{*meta_, *blobs_, MetaTransaction::Durability::kSynced};
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
  EXPECT_EQ(ledger_.Settle(is_named).value(), 2u);
  EXPECT_TRUE(Exists(named));
  EXPECT_FALSE(Exists(orphaned));
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
  const Result<size_t> settled = ledger_.Settle(fails);
  ASSERT_FALSE(settled.has_value());
  EXPECT_EQ(settled.error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(Exists(object));
}

}  // namespace
}  // namespace outport
