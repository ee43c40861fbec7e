#include <boost/json/parse.hpp>
#include <fstream>
#include <set>

#include "registry/storage/rocks/rocks_meta_store.h"
#include "store/audit/audit_file.h"
#include "tests/storage/durability.h"
#include "tests/support/manual_clock.h"

namespace outport::store {
namespace {

// Writes entries of the audit log, and exports them to a file that is rotated sometimes.
class AuditCase final : public DurabilityCase {
 public:
  explicit AuditCase(const std::filesystem::path& root) : root_(root) {}

  void Work(FaultDisk& disk) override {
    Store store(root_, disk);
    if (!store.opened) return;
    for (int i = 0; i < 5; ++i) {
      const auto transaction = store.meta->Begin();
      transaction->Audit(R"({"pad":")" + std::string(200, 'x') + "\"}");
      if (!transaction->Commit().has_value()) return;
      ++acknowledged_;
      if (!store.file->Export().has_value()) return;
    }
  }

  Losses Look(FaultDisk& disk) override {
    Store store(root_, disk);
    if (!store.opened) return {"the store or its file cannot be opened"};
    Losses losses;
    if (!store.file->Export().has_value()) losses.push_back("the file cannot be written");
    const uint64_t head = store.meta->AuditHead()->sequence;
    if (head < acknowledged_) losses.push_back("an acknowledged entry is lost");
    std::set<int64_t> there;
    for (const auto& entry : std::filesystem::directory_iterator(root_ / "audit")) {
      std::ifstream file(entry.path());
      for (std::string line; std::getline(file, line);) {
        boost::system::error_code error;
        const auto parsed = boost::json::parse(line, error);
        if (error) losses.push_back("a line is broken: " + line);
        if (!error) there.insert(parsed.at("sequence").as_int64());
      }
    }
    for (uint64_t i = 1; i <= head; ++i) {
      const bool lost = !there.contains(static_cast<int64_t>(i));
      if (lost) losses.push_back("entry " + std::to_string(i) + " is in no file");
    }
    return losses;
  }

 private:
  // The open objects of one process.
  struct Store {
    Store(const std::filesystem::path& root, FaultDisk& disk) {
      auto store = OpenRocksMetaStore({.folder = root / "meta", .env = disk.env()}, Log::Nowhere());
      if (!store.has_value()) return;
      meta = *std::move(store);
      owner = std::make_unique<Owner>(*meta, store_clock, Owner::Access::kExclusive);
      file = std::make_unique<AuditFile>(AuditFile::Parts{.meta = *meta,
                                                          .files = disk.files(),
                                                          .pool = pool,
                                                          .metrics = metrics,
                                                          .log = Log::Nowhere(),
                                                          .clock = store_clock,
                                                          .owner = *owner,
                                                          .path = root / "audit" / "audit.jsonl",
                                                          .max_size_bytes = 1000,
                                                          .max_files = 100,
                                                          .max_entries = 2,
                                                          .syslog = ""});
      opened = file->Open().has_value();
    }
    BlockingPool pool{"audit", 1, 10};
    Metrics metrics;
    ManualClock clock;
    StoreClock store_clock{clock};
    std::unique_ptr<MetaStore> meta;
    std::unique_ptr<Owner> owner;  // every earlier owner has ended
    std::unique_ptr<AuditFile> file;
    bool opened = false;
  };

  const std::filesystem::path root_;
  uint64_t acknowledged_ = 0;
};

std::unique_ptr<DurabilityCase> MakeAuditCase(const std::filesystem::path& root) {
  return std::make_unique<AuditCase>(root);
}

TEST(I10AuditDurability, EveryEntryIsInAFileAfterACutAtAnyPoint) {
  ExpectNothingLostAtAnyCut(&MakeAuditCase, Loss::kAllUnsynced);
}

TEST(I10AuditDurability, EveryEntryIsInAFileAfterARestart) {
  ExpectNothingLostAfterARestart(&MakeAuditCase);
}

TEST(I10AuditDurability, TheSyncsOfTheFileAreNeeded) {
  ExpectLossIfIgnored(&MakeAuditCase, "the file's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFile && point.path.native().contains("audit.jsonl");
  });
  ExpectLossIfIgnored(&MakeAuditCase, "its folder's", [](const FaultPoint& point) {
    return point.kind == FaultKind::kSyncFolder && point.path.filename() == "audit";
  });
}

}  // namespace
}  // namespace outport::store
