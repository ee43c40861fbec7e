#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using std::chrono::hours;

// What clients and administrators got an acknowledgement for.
struct Acknowledged {
  bool kept = false;    // the image that stays
  bool undone = false;  // the undo of the run that removed an image
};

const std::string kKept = ImageManifest({"kept config", "shared layer"});
const std::string kRemoved = ImageManifest({"removed config", "shared layer"});

// Pushes two images, deletes one, collects it, frees the trash, collects another one and undoes
// that. Ends at the first failure; later steps fail, too, because the disk is cut.
void Live(TestContent& store, Acknowledged& acknowledged) {
  TestCollector collector(store);
  const auto step = [&](std::chrono::milliseconds after) {
    store.clock.Advance(after);
    for (int i = 0; i < 30; ++i) {
      if (collector->Step() > std::chrono::seconds(1)) return;  // it failed
      store.clock.Advance(std::chrono::milliseconds(1));
    }
  };
  acknowledged.kept = store.PushImage("a", "keep", {"kept config", "shared layer"}).has_value();
  if (!store.PushImage("a", "v1", {"removed config", "shared layer"}).has_value()) return;
  if (!store.DeleteManifest("a", Sha256(kRemoved).ToString()).has_value()) return;
  step(hours(37));                                                 // removes the config
  if (!store.PushBlob("b", "removed config").has_value()) return;  // again, from the trash
  step(hours(25));  // frees the trash of the manifest
  if (!store.PushImage("c", "v1", {"third config"}).has_value()) return;
  if (!store.DeleteManifest("c", "v1").has_value()) return;
  step(hours(37));
  v1::StartRunRequest run;
  run.mutable_options()->set_delete_untagged(true);
  const auto started = collector->StartRun(run, kAdministrator);
  if (!started.has_value()) return;
  step(hours(0));
  v1::UndoRunRequest undo;
  undo.set_id(started->id());
  if (!collector->UndoRun(undo, kAdministrator).has_value()) return;
  step(hours(0));
  v1::GetRunRequest get;
  get.set_id(started->id());
  const auto row = collector->GetRun(get);
  acknowledged.undone = row.has_value() && row->state() == v1::RUN_STATE_UNDONE;
}

// After the restart, everything that was acknowledged is there, and the collector comes to an end.
void CheckAfterRestart(TestContent& store, const Acknowledged& acknowledged) {
  ASSERT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty());
  const auto whole = [&](const std::string& repository, const std::string& body,
                         const std::vector<std::string>& blobs) {
    ASSERT_TRUE(store.PullManifest(repository, Sha256(body).ToString()).has_value());
    for (const std::string& blob : blobs) {
      const auto bytes = store.PullBlob(repository, Sha256(blob));
      ASSERT_TRUE(bytes.has_value()) << bytes.error().message;
      ASSERT_EQ(*bytes, blob);
    }
  };
  if (acknowledged.kept) whole("a", kKept, {"kept config", "shared layer"});
  if (acknowledged.undone) whole("c", ImageManifest({"third config"}), {"third config"});
  ExpectConsistentStore(store);
  // Requests without an acknowledgement may have had an effect or not.
  static_cast<void>(store.DeleteManifest("a", "v1"));
  static_cast<void>(store.DeleteManifest("c", "v1"));
  store.clock.Advance(hours(1000));
  TestCollector collector(store);
  collector.Work();
  // An undo that continues makes candidates, so one run is not enough.
  for (int i = 0; i < 5; ++i) {
    store.clock.Advance(hours(100));
    static_cast<void>(collector.RunUntagged());
  }
  ExpectConsistentStore(store);
  if (acknowledged.kept) whole("a", kKept, {"kept config", "shared layer"});
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  EXPECT_EQ(CountRows(store, keys::kIntents), 0u);
  EXPECT_EQ(CountRows(store, keys::kCondemned), 0u);
  if (acknowledged.kept) EXPECT_EQ(store.Files("blobs").size(), 2u);
}

// Lives on a new disk until a power cut at fault point number `cut` (0: at the end), restarts and
// checks. Returns the number of fault points of the life.
size_t LiveAndCut(uint64_t cut, Loss loss) {
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  Acknowledged acknowledged;
  size_t points = 0;
  {
    TestContent store(folder.path(), disk.files(), disk.env());
    EXPECT_TRUE(store.Open().has_value());
    const size_t before = disk.history().size();
    disk.CutAt(cut);
    Live(store, acknowledged);
    points = disk.history().size() - before;
    if (cut == 0) {
      EXPECT_TRUE(acknowledged.kept);
      EXPECT_TRUE(acknowledged.undone);
    }
    disk.CutAt(1);
    store.Close();
  }
  disk.DropUnsynced(loss);
  TestContent store(folder.path(), disk.files(), disk.env());
  const auto opened = store.Open();
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  if (opened.has_value()) CheckAfterRestart(store, acknowledged);
  return points;
}

// The process may end at each change of state: after each write of a step, and before the next.
TEST(CollectorDurability, AfterAPowerCutAtAnyPoint) {
  const size_t points = LiveAndCut(0, Loss::kAllUnsynced);
  ASSERT_GT(points, 40u);
  for (uint64_t cut = 1; cut <= points; ++cut) {
    SCOPED_TRACE("the power went at point " + std::to_string(cut));
    static_cast<void>(LiveAndCut(cut, cut % 2 == 0 ? Loss::kAllUnsynced : Loss::kTornFiles));
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace outport::store
