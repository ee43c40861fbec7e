#include <algorithm>
#include <map>
#include <set>

#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/storage/durability.h"

namespace outport {
namespace {

using Durability = MetaTransaction::Durability;

// Commits rows, each with a record of its name in both logs. A row that is not synced follows every
// third one.
class MetaCase final : public DurabilityCase {
 public:
  explicit MetaCase(const std::filesystem::path& root) : folder_(root / "meta") {}

  void Work(FaultDisk& disk) override {
    auto store = OpenRocksMetaStore({.folder = folder_, .env = disk.env()}, Log::Nowhere());
    if (!store.has_value()) return;
    const uint64_t start = (*store)->Head()->sequence;
    for (uint64_t i = start; i < start + 6; ++i) {
      if (!Put(**store, "row/" + std::to_string(i))) return;
      if (i % 3 == 0) {
        const auto buffered = (*store)->Begin();
        if (!buffered->Put("buffered", std::to_string(i)).has_value()) return;
        if (!buffered->Commit(Durability::kBuffered).has_value()) return;
      }
    }
  }

  Losses Look(FaultDisk& disk) override {
    auto store = OpenRocksMetaStore({.folder = folder_, .env = disk.env()}, Log::Nowhere());
    if (!store.has_value()) return {store.error().message};
    Losses losses;
    const auto records = (*store)->ReadLog(1, 1000, 1 << 20);
    const auto rows = (*store)->Scan({.prefix = "row/"});
    if (!records.has_value() || !rows.has_value()) return {"the store cannot be read"};
    std::set<std::string> keys;
    for (const KeyValue& row : *rows) keys.insert(row.key);
    LogPosition position;
    for (const LogRecord& record : *records) {
      position = NextPosition(position, record.record);
      if (record.position != position) losses.push_back("the log's chain is broken");
      if (keys.erase(record.record) != 1) losses.push_back(record.record + " has no row (I10)");
      const auto acknowledged = acknowledged_.find(record.record);
      if (acknowledged == acknowledged_.end()) continue;
      if (acknowledged->second != position)
        losses.push_back(record.record + " is at another number");
      acknowledged_.erase(acknowledged);
    }
    for (const std::string& key : keys) losses.push_back(key + " has no record (I10)");
    for (const auto& [key, where] : acknowledged_) losses.push_back(key + " is lost");
    // The audit log has the same records.
    const auto audit = (*store)->ReadAudit(1, 1000, 1 << 20);
    if (!audit.has_value() || !std::ranges::equal(*audit, *records, IsSame)) {
      losses.push_back("the audit log is not what the change log is");
    }
    if ((*store)->AuditHead().value() != position)
      losses.push_back("the audit log's head is wrong");
    if ((*store)->Head().value() != position) losses.push_back("the head is not the last record");
    return losses;
  }

 private:
  static bool IsSame(const LogRecord& a, const LogRecord& b) {
    return a.position == b.position && a.record == b.record;
  }
  bool Put(MetaStore& store, const std::string& key) {
    const auto transaction = store.Begin();
    if (!transaction->Put(key, "x").has_value()) return false;
    transaction->Append(key);
    transaction->Audit(key);
    const auto position = transaction->Commit();
    if (!position.has_value()) return false;
    acknowledged_[key] = *position;
    return true;
  }

  const std::filesystem::path folder_;
  std::map<std::string, LogPosition> acknowledged_;
};

std::unique_ptr<DurabilityCase> MakeMetaCase(const std::filesystem::path& root) {
  return std::make_unique<MetaCase>(root);
}

TEST(I2DurableAfterAcknowledgement, MetadataSurvivesACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeMetaCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeMetaCase, Loss::kTornFiles);
}

TEST(I2DurableAfterAcknowledgement, MetadataSurvivesACutAfterARestart) {
  ExpectNothingLostAfterARestart(&MakeMetaCase);
}

TEST(I2DurableAfterAcknowledgement, EverySyncOfAMetadataCommitIsNeeded) {
  ExpectLossIfIgnored(&MakeMetaCase, "the WAL's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.extension() == ".log";
  });
  ExpectLossIfIgnored(&MakeMetaCase, "the metadata folder's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && point.path.filename() == "meta";
  });
  ExpectLossIfIgnored(&MakeMetaCase, "the metadata folder's parent's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && IsTemporaryFolder(point.path);
  });
}

// A failed commit is not visible, and later commits are rejected: the state of the disk is unknown
// until the store is opened again.
TEST(I2DurableAfterAcknowledgement, NothingIsVisibleOrAcceptedAfterAFailedWrite) {
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  auto opened =
      OpenRocksMetaStore({.folder = folder.path() / "meta", .env = disk.env()}, Log::Nowhere());
  ASSERT_TRUE(opened.has_value());
  MetaStore& store = **opened;
  const auto put = [&store](const std::string& key) {
    const auto transaction = store.Begin();
    EXPECT_TRUE(transaction->Put(key, "x").has_value());
    transaction->Append(key);
    return transaction->Commit();
  };
  const auto first = put("first");
  ASSERT_TRUE(first.has_value());
  EXPECT_FALSE(store.WhyReadOnly().has_value());
  disk.CutAt(2);  // the WAL is written, but not synced
  EXPECT_FALSE(put("second").has_value());
  EXPECT_EQ(store.Head().value(), *first);
  EXPECT_FALSE(store.Get("second").value().has_value());
  EXPECT_EQ(store.ReadLog(1, 10, 1000)->size(), 1u);

  disk.CutAt(0);
  const auto third = put("third");
  ASSERT_FALSE(third.has_value());
  EXPECT_EQ(third.error().code, ErrorCode::kUnavailable);
  ASSERT_TRUE(store.WhyReadOnly().has_value());
  EXPECT_EQ(store.WhyReadOnly()->message, third.error().message);
  EXPECT_EQ(store.Head().value(), *first);
  EXPECT_TRUE(store.Get("first").value().has_value());  // reads go on
}

}  // namespace
}  // namespace outport
