#include "registry/storage/rocks/rocks_meta_store.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>

#include "registry/storage/meta_log.h"
#include "tests/contract/audit_log_contract.h"
#include "tests/contract/log_trim_contract.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

class RocksHome final : public MetaStoreHome {
 public:
  RocksHome() { Reopen(); }
  MetaStore& store() override { return *store_; }
  void Reopen() override {
    store_.reset();
    auto opened = OpenRocksMetaStore({.folder = path()}, Log::Nowhere());
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    store_ = *std::move(opened);
  }
  void Close() { store_.reset(); }
  std::filesystem::path path() const { return folder_.path() / "meta"; }

 private:
  const TemporaryFolder folder_;
  std::unique_ptr<MetaStore> store_;
};

std::unique_ptr<MetaStoreHome> MakeRocksHome() { return std::make_unique<RocksHome>(); }
INSTANTIATE_TEST_SUITE_P(Rocks, MetaStoreContract, testing::Values(&MakeRocksHome));
INSTANTIATE_TEST_SUITE_P(Rocks, AuditLogContract, testing::Values(&MakeRocksHome));

void CommitRecord(MetaStore& store, const std::string& record) {
  const auto transaction = store.Begin();
  transaction->Append(record);
  ASSERT_TRUE(transaction->Commit().has_value());
}

// Changes a row in RocksDB directly.
void Tamper(const std::filesystem::path& folder, const std::string& key,
            const std::optional<std::string>& value) {
  rocksdb::DB* opened = nullptr;
  ASSERT_TRUE(rocksdb::DB::Open(rocksdb::Options(), folder, &opened).ok());
  const std::unique_ptr<rocksdb::DB> db(opened);
  const auto status = value.has_value() ? db->Put(rocksdb::WriteOptions(), key, *value)
                                        : db->Delete(rocksdb::WriteOptions(), key);
  ASSERT_TRUE(status.ok());
}

TEST(RocksMetaStore, RejectsAHeadThatIsNotTheLogsLastRecord) {
  const struct {
    const char* what;
    std::string key;
    std::optional<std::string> value;
  } kCases[] = {
      {"the head is behind", "head", EncodeHead(NextPosition({}, "one"))},
      {"the head has another hash", "head", EncodeHead({.sequence = 2, .hash = {}})},
      {"the head is gone", "head", std::nullopt},
      {"the head is corrupt", "head", "x"},
      {"the last record is gone", kChangeLog.Key(2), std::nullopt},
      {"the last record is corrupt", kChangeLog.Key(2), "x"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.what);
    RocksHome home;
    CommitRecord(home.store(), "one");
    CommitRecord(home.store(), "two");
    home.Close();
    Tamper(home.path(), c.key, c.value);
    const auto opened = OpenRocksMetaStore({.folder = home.path()}, Log::Nowhere());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::kCorrupt);
  }
}

TEST(RocksMetaStore, RejectsAnAuditHeadThatIsNotTheLogsLastRecord) {
  RocksHome home;
  const auto transaction = home.store().Begin();
  transaction->Audit("one");
  ASSERT_TRUE(transaction->Commit().has_value());
  home.Close();
  Tamper(home.path(), kAuditLog.Key(1), std::nullopt);
  const auto opened = OpenRocksMetaStore({.folder = home.path()}, Log::Nowhere());
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("audit log"), std::string::npos);
}

TEST(RocksMetaStore, ReportsAGapInTheLog) {
  RocksHome home;
  for (const char* record : {"one", "two", "three"}) CommitRecord(home.store(), record);
  home.Close();
  Tamper(home.path(), kChangeLog.Key(2), std::nullopt);
  home.Reopen();
  EXPECT_EQ(home.store().ReadLog(1, 100, 1000).error().code, ErrorCode::kCorrupt);
  // The storage does not know whether record 2 was trimmed: its reader compares the number.
  EXPECT_EQ(home.store().ReadLog(2, 100, 1000)->front().position.sequence, 3u);
  EXPECT_EQ(home.store().ReadLog(3, 100, 1000)->size(), 1u);
}

TEST(RocksMetaStore, NamesTheFolderThatItCannotOpen) {
  const auto opened = OpenRocksMetaStore({.folder = "/proc/none/meta"}, Log::Nowhere());
  ASSERT_FALSE(opened.has_value());
  EXPECT_NE(opened.error().message.find("/proc/none/meta"), std::string::npos);
}

TEST(RocksMetaStore, IsOpenedByOneProcessAtATime) {
  RocksHome home;
  EXPECT_FALSE(OpenRocksMetaStore({.folder = home.path()}, Log::Nowhere()).has_value());
}

}  // namespace
}  // namespace outport
