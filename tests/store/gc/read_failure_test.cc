#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr int kGone = 12;

// A store with one image that stays and others that go. Its rows are in files, not in memory.
class StoreInFiles {
 public:
  StoreInFiles() {
    EXPECT_TRUE(store_.Open().has_value());
    EXPECT_TRUE(store_.PushImage("a", "keep", {"kept config", "shared"}).has_value());
    EXPECT_TRUE(store_.PushImage("a", "v1", {"removed config", "shared"}).has_value());
    EXPECT_TRUE(store_.PushImage("b", "v1", {"removed config"}).has_value());
    for (const char* repository : {"a", "b"}) {
      EXPECT_TRUE(store_.DeleteManifest(repository, "v1").has_value());
    }
    // So many rows that one read does not bring all of them into memory.
    for (int i = 0; i < kGone; ++i) {
      const std::string tag = "gone" + std::to_string(i);
      EXPECT_TRUE(store_.PushImage("a", tag, {"config of " + tag, "shared"}).has_value());
      EXPECT_TRUE(store_.DeleteManifest("a", tag).has_value());
    }
    store_.clock.Advance(hours(37));
    store_.Reopen();
  }
  // Only the reads with these numbers fail, counted from now on.
  void FailReads(uint64_t first, uint64_t last) {
    disk_.FailReads([first, last, at = uint64_t{0}](const std::filesystem::path& path) mutable {
      if (path.extension() != ".sst") return false;
      ++at;
      return first <= at && at <= last;
    });
  }
  // Steps, and requests as long as they fail, until a run for untagged manifests has ended.
  void Collect(TestCollector& collector) {
    v1::StartRunRequest request;
    request.mutable_options()->set_delete_untagged(true);
    std::string run;
    for (int i = 0; i < 1000; ++i) {
      static_cast<void>(collector->Step());
      store_.clock.Advance(std::chrono::milliseconds(1));
      if (run.empty()) {
        const auto started = collector->StartRun(request, kAdministrator);
        if (started.has_value()) run = started->id();
      } else if (const auto state = collector->Get();
                 state.has_value() && state->running().empty()) {
        return;
      }
    }
    FAIL() << "the collector finds no end";
  }
  void ExpectOnlyTheKeptImage() {
    TestCollector collector(store_);
    for (int i = 0; i < 3; ++i) {
      store_.clock.Advance(hours(100));
      static_cast<void>(collector.RunUntagged());
    }
    collector.WorkAfter(hours(100));
    ExpectConsistentStore(store_);
    EXPECT_EQ(store_.PullManifest("a", "keep")->body, ImageManifest({"kept config", "shared"}));
    for (const char* blob : {"kept config", "shared"}) {
      EXPECT_EQ(store_.PullBlob("a", Sha256(blob)).value_or("absent"), blob);
    }
    EXPECT_EQ(store_.Files("blobs").size(), 2u);
    EXPECT_EQ(CountRows(store_, keys::kTrash), 0u);
  }

  FaultDisk& disk() { return disk_; }
  TestContent& store() { return store_; }

 private:
  const TemporaryFolder folder_;
  FaultDisk disk_{folder_.path()};
  TestContent store_{folder_.path(), disk_.files(), disk_.env()};
};

TEST(CollectorReadFailure, WhileNothingCanBeReadNothingIsRemoved) {
  StoreInFiles files;
  TestCollector collector(files.store());
  const uint64_t head = files.store().Head();
  files.FailReads(1, UINT64_MAX);
  int failed = 0;
  for (int i = 0; i < 20; ++i) {
    failed += collector->Step() > seconds(1) ? 1 : 0;
    files.store().clock.Advance(seconds(5));
  }
  EXPECT_GT(failed, 10) << "a step that failed waits";
  files.disk().FailReads({});
  EXPECT_EQ(files.store().Head(), head);
  files.ExpectOnlyTheKeptImage();
}

TEST(CollectorReadFailure, AReadThatFailsOnlyDelays) {
  for (uint64_t read = 1;; ++read) {
    SCOPED_TRACE("read " + std::to_string(read) + " fails");
    StoreInFiles files;
    TestCollector collector(files.store());
    files.FailReads(read, read + 1);
    files.Collect(collector);
    const uint64_t failed = files.disk().failed();
    files.disk().FailReads({});
    files.ExpectOnlyTheKeptImage();
    if (testing::Test::HasFailure()) return;
    if (failed > 0) continue;
    EXPECT_GT(read, 3u) << "the collector reads files";
    return;
  }
}

}  // namespace
}  // namespace outport::store
