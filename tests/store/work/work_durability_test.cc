#include <optional>

#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/work/store_clock.h"
#include "store/work/work_lease.h"
#include "tests/storage/durability.h"
#include "tests/support/split_clock.h"

namespace outport::store {
namespace {

// Two holders acquire and release a lease in turns, and the store clock makes steps.
class WorkCase final : public DurabilityCase {
 public:
  explicit WorkCase(std::filesystem::path root) : root_(std::move(root)) {}

  void Work(FaultDisk& disk) override {
    const auto meta = Open(disk);
    if (meta == nullptr) return;
    SplitClock clock;
    StoreClock store_clock(clock, "boot");
    for (int i = 0; i < 4; ++i) {
      clock.Pass(std::chrono::seconds(30));
      clock.StepWall(std::chrono::minutes(10));
      if (!store_clock.Save(*meta).has_value()) return;
      time_ms_ = store_clock.NowMs();
      WorkLease lease(*meta, store_clock, "gc", "owner " + std::to_string(i));
      if (const auto acquired = lease.Acquire(); !acquired.has_value() || !*acquired) return;
      ++holders_;
      if (i % 2 == 0 && !lease.Release().has_value()) return;
    }
  }

  Losses Look(FaultDisk& disk) override {
    const auto meta = Open(disk);
    if (meta == nullptr) return {"the metadata cannot be opened"};
    Losses losses;
    const auto lease = ReadRow<v1::LeaseRow>(*meta, keys::Lease("gc")).value();
    const uint64_t fence = lease.has_value() ? lease->fence() : 0;
    if (fence < holders_) losses.push_back("fence " + std::to_string(fence) + " is used again");
    SplitClock clock;
    StoreClock store_clock(clock, "another boot");
    if (!store_clock.Load(*meta).has_value()) losses.push_back("the clock cannot be read");
    if (time_ms_.has_value() && store_clock.NowMs() < *time_ms_) {
      losses.push_back("the clock goes back");
    }
    return losses;
  }

 private:
  std::unique_ptr<MetaStore> Open(FaultDisk& disk) {
    auto meta = OpenRocksMetaStore({.folder = root_ / "meta", .env = disk.env()}, Log::Nowhere());
    return meta.has_value() ? *std::move(meta) : nullptr;
  }

  const std::filesystem::path root_;
  uint64_t holders_ = 0;
  std::optional<int64_t> time_ms_;
};

std::unique_ptr<DurabilityCase> MakeWorkCase(const std::filesystem::path& root) {
  return std::make_unique<WorkCase>(root);
}

TEST(WorkDurability, FencesAndTheClockSurviveACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeWorkCase, Loss::kAllUnsynced);
  ExpectNothingLostAtAnyCut(&MakeWorkCase, Loss::kTornFiles);
}

TEST(WorkDurability, OnlyByTheSyncsOfTheMetadata) {
  ExpectLossIfIgnored(&MakeWorkCase, "the log's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.extension() == ".log";
  });
}

}  // namespace
}  // namespace outport::store
