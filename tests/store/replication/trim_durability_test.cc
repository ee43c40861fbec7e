#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/replication/log_reader.h"
#include "store/replication/log_trimmer.h"
#include "tests/storage/durability.h"
#include "tests/support/manual_clock.h"

namespace outport::store {
namespace {

// Appends records and trims the log. The trims are not synced, so a cut may undo them. But the row
// and the records always agree: otherwise nodes would miss changes.
class TrimCase final : public DurabilityCase {
 public:
  explicit TrimCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    const auto meta = Open(disk);
    if (meta == nullptr) return;
    ManualClock clock;
    clock.Advance(std::chrono::hours(meta->Head()->sequence));  // an earlier lease has expired
    const StoreClock store_clock(clock, "boot");
    const ConnectedNodes nodes;
    BlockingPool pool("trim", 1, 4);
    Metrics metrics;
    LogTrimmer trimmer({.meta = *meta,
                        .nodes = nodes,
                        .clock = store_clock,
                        .pool = pool,
                        .metrics = metrics,
                        .log = Log::Nowhere(),
                        .owner = "me",
                        .bounds = {.min_records = 2}});
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < 2; ++j) {
        const auto transaction = meta->Begin();
        transaction->Append("change");
        const auto position = transaction->Commit();
        if (!position.has_value()) return;
        acknowledged_ = *position;
      }
      if (!trimmer.Trim().has_value()) return;
    }
    EXPECT_GT(TrimmedPosition(*meta)->sequence, 0u);
  }

  Losses Look(FaultDisk& disk) override {
    const auto meta = Open(disk);
    if (meta == nullptr) return {"the metadata cannot be opened"};
    Losses losses;
    const auto trimmed = TrimmedPosition(*meta);
    const auto records = meta->ReadLog(1, 1000, 1 << 20);
    if (!trimmed.has_value() || !records.has_value()) return {"the log cannot be read"};
    LogPosition position = *trimmed;
    for (const LogRecord& record : *records) {
      position = NextPosition(position, record.record);
      if (record.position != position) losses.push_back("the records do not follow the row");
    }
    if (*meta->Head() != position) losses.push_back("the head is not the last record");
    if (position.sequence < acknowledged_.sequence) losses.push_back("a change is lost");
    return losses;
  }

 private:
  std::unique_ptr<MetaStore> Open(FaultDisk& disk) {
    auto meta = OpenRocksMetaStore({.folder = root_ / "meta", .env = disk.env()}, Log::Nowhere());
    return meta.has_value() ? *std::move(meta) : nullptr;
  }

  const std::filesystem::path root_;
  LogPosition acknowledged_;
};

std::unique_ptr<DurabilityCase> MakeTrimCase(const std::filesystem::path& root) {
  return std::make_unique<TrimCase>(root);
}

TEST(TrimmedLog, AgreesWithItsRowAfterACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeTrimCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeTrimCase, Loss::kTornFiles);
}

TEST(TrimmedLog, AgreesWithItsRowAfterACutAfterARestart) {
  ExpectNothingLostAfterARestart(&MakeTrimCase);
}

}  // namespace
}  // namespace outport::store
