#include "tests/store/retention/deed.h"

#include "registry/records/rows.h"
#include "tests/store/content/replay.h"
#include "tests/store/content/tag_event_check.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/fault_disk.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::IsEmpty;

constexpr CollectionTimes kTimes{
    .grace = std::chrono::milliseconds(0), .lease = hours(1), .trash = hours(24)};

// Deletes all tags, and collects until nothing is left.
void RemoveEverything(TestContent& store) {
  for (const KeyValue& row :
       *store.meta->Scan({.prefix = std::string(keys::kTags), .limit = 100})) {
    const std::string rest(keys::After(row.key, keys::kTags));
    const size_t end = rest.find(keys::kSeparator);
    ASSERT_TRUE(store.DeleteManifest(rest.substr(0, end), rest.substr(end + 1)).has_value());
  }
  TestCollector collector(store);
  for (int i = 0; i < 5; ++i) {
    store.clock.Advance(hours(100));
    static_cast<void>(collector.RunUntagged());
  }
  collector.WorkAfter(hours(100));
  for (const std::string_view prefix :
       {keys::kManifests, keys::kLinks, keys::kBlobs, keys::kIntents, keys::kCondemned,
        keys::kUntagged, keys::kTrash}) {
    EXPECT_EQ(CountRows(store, prefix), 0u) << prefix;
  }
  EXPECT_THAT(store.Files("blobs"), IsEmpty());
}

void ExpectConsistent(const TestContent& store) {
  ExpectConsistentStore(store);
  EXPECT_EQ(ReplayLog(*store.meta), ScanState(*store.meta));
  EXPECT_THAT(ProblemsOfTagEvents(*store.meta), IsEmpty());
}

bool IsCut(Blow blow) {
  return blow == Blow::kKill || blow == Blow::kPowerCut || blow == Blow::kTornFiles;
}

// Makes the blow happen at the fault point with this number from now on.
void Strike(FaultDisk& disk, uint64_t number, Blow blow) {
  if (number == 0) return;
  if (IsCut(blow)) return disk.CutAt(number);
  const FaultError error = blow == Blow::kNoSpace ? FaultError::kNoSpace : FaultError::kIo;
  disk.Fail(error, [blow, number, at = uint64_t{0}](const FaultPoint& point) mutable {
    ++at;
    if (blow == Blow::kOneIoError) return at == number;
    const bool needs_space = point.kind == FaultKind::kCreate || point.kind == FaultKind::kWrite ||
                             point.kind == FaultKind::kMakeFolder;
    return at >= number && (blow == Blow::kIoErrors || needs_space);
  });
}

}  // namespace

size_t DoAndRestart(Deed& deed, uint64_t point, Blow blow) {
  const TemporaryFolder folder;
  FaultDisk disk(folder.path());
  size_t points = 0;
  std::chrono::nanoseconds end{0};
  {
    TestContent store(folder.path(), disk.files(), disk.env());
    store.times = kTimes;
    EXPECT_TRUE(store.Open().has_value());
    deed.Prepare(store);
    const size_t before = disk.history().size();
    Strike(disk, point, blow);
    deed.Do(store);
    points = disk.history().size() - before;
    end = store.clock.SinceBoot();
    if (IsCut(blow)) disk.CutAt(1);
    store.Close();
  }
  disk.Fail(FaultError::kIo, {});
  if (blow == Blow::kKill) disk.Restart();
  if (blow == Blow::kPowerCut) disk.DropUnsynced(Loss::kAllUnsynced);
  if (blow == Blow::kTornFiles) disk.DropUnsynced(Loss::kTornFiles);
  TestContent store(folder.path(), disk.files(), disk.env());
  store.times = kTimes;
  // By then the lease of the collector before has ended.
  store.clock.Advance(end + std::chrono::minutes(1) - store.clock.SinceBoot());
  const auto opened = store.Open();
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  if (!opened.has_value()) return points;
  ExpectConsistent(store);
  deed.Check(store);
  ExpectConsistent(store);
  RemoveEverything(store);
  return points;
}

}  // namespace outport::store
