#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// With the default times: grace 36 h, lease 1 h, trash 24 h.
class GarbageTest : public CollectorTest {};

TEST_F(GarbageTest, ABlobOfNobodyGoesAfterTheGracePeriodAndItsBytesAfterTheTrashWindow) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(35));
  EXPECT_TRUE(HasBlob("a", "layer"));
  collector->WorkAfter(hours(2));
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_EQ(store.Files("blobs").size(), 1u) << "the bytes are in the trash";
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 5u);
  EXPECT_EQ(store.metrics.Gauge("outport_store_gc_trash_bytes", "").Value(), 5.0);
  EXPECT_EQ(store.metrics.Counter("outport_store_gc_links_removed_total", "").Value(), 1.0);
  EXPECT_EQ(store.metrics.Counter("outport_store_gc_freed_bytes_total", "").Value(), 0.0);
  ExpectConsistent();
  collector->WorkAfter(hours(25));
  ExpectEmpty();
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 0u);
  EXPECT_EQ(store.metrics.Gauge("outport_store_gc_trash_bytes", "").Value(), 0.0);
  EXPECT_EQ(store.metrics.Counter("outport_store_gc_freed_bytes_total", "").Value(), 5.0);
}

TEST_F(GarbageTest, WhatAManifestRefersToStays) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  collector->WorkAfter(hours(1000));
  EXPECT_TRUE(HasBlob("a", "config"));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
}

TEST_F(GarbageTest, ADeletedManifestTakesItsBlobsAlongButNotThoseOfOthers) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config 1", "shared"}).has_value());
  ASSERT_TRUE(store.PushImage("a", "v2", {"config 2", "shared"}).has_value());
  const std::string first = Sha256(ImageManifest({"config 1", "shared"})).ToString();
  ASSERT_TRUE(store.DeleteManifest("a", first).has_value());
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "config 1"));
  EXPECT_TRUE(HasBlob("a", "config 2"));
  EXPECT_TRUE(HasBlob("a", "shared"));
  collector->WorkAfter(hours(100));
  EXPECT_EQ(store.Files("blobs").size(), 2u);
  EXPECT_EQ(CountRows(store, keys::kContents), 1u) << "the manifest's bytes go, too";
  ExpectConsistent();
}

TEST_F(GarbageTest, TheBytesStayAsLongAsOneRepositoryLinksThem) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store.PushBlob(name, "layer").has_value());
  ASSERT_TRUE(store.PushManifest("b", "v1", ImageManifest({"layer"})).has_value());
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_TRUE(HasBlob("b", "layer"));
  EXPECT_FALSE(HasBlob("c", "layer"));
  const v1::RunRow run = collector->LastRun();
  EXPECT_EQ(run.removed().links(), 2u);
  EXPECT_EQ(run.removed().blobs(), 0u);
  ExpectConsistent();
}

TEST_F(GarbageTest, OneBackgroundRunTakesInTheBurstsOfAnHour) {
  for (const char* bytes : {"1", "2", "3"}) {
    ASSERT_TRUE(store.PushBlob("a", bytes).has_value());
    store.clock.Advance(minutes(10));
  }
  store.clock.Advance(hours(35) + minutes(35));
  for (int i = 0; i < 4; ++i) collector->WorkAfter(minutes(10));
  const std::vector<v1::RunRow> runs = collector->Runs();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].kind(), v1::RUN_KIND_BACKGROUND);
  EXPECT_EQ(runs[0].state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(runs[0].removed().blobs(), 3u);
  collector->WorkAfter(hours(30));
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_FREED);
  EXPECT_EQ(collector->LastRun().freed().blobs(), 3u);
}

TEST_F(GarbageTest, WithoutGarbageThereIsNoRun) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  collector->WorkAfter(hours(100));
  EXPECT_THAT(collector->Runs(), testing::IsEmpty());
}

TEST_F(GarbageTest, UntaggedManifestsStayUnlessARunAsksForThem) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  const std::string digest = Sha256(ImageManifest({"config"})).ToString();
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasManifest("a", digest));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("a", digest));
  EXPECT_TRUE(HasBlob("a", "config")) << "the blob is condemned only now";
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "config"));
  collector->WorkAfter(hours(100));
  ExpectEmpty();
}

TEST_F(GarbageTest, AnUntaggedManifestStaysForTheGracePeriod) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  collector->WorkAfter(hours(100));
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  collector->WorkAfter(hours(35));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  collector->WorkAfter(hours(2));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 1u);
}

TEST_F(GarbageTest, AQuarantinedBlobGoesWithItsLastLink) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  const auto row = ReadRow<v1::BlobRow>(*store.meta, keys::Blob(Sha256("layer")));
  ASSERT_TRUE(
      store.content->blobs.Quarantine(Sha256("layer"), (*row)->object(), "rot").has_value());
  collector->WorkAfter(hours(37));
  EXPECT_EQ(CountRows(store, keys::kBlobs), 0u);
  EXPECT_EQ(collector->LastRun().removed().blobs(), 0u);
  EXPECT_EQ(collector->LastRun().removed().links(), 1u);
}

TEST_F(GarbageTest, ABlobThatIsQuarantinedInTheTrashLeavesNoRow) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  const auto row = ReadRow<v1::BlobRow>(*store.meta, keys::Blob(Sha256("layer")));
  collector->WorkAfter(hours(37));
  ASSERT_TRUE(
      store.content->blobs.Quarantine(Sha256("layer"), (*row)->object(), "rot").has_value());
  collector->WorkAfter(hours(25));
  EXPECT_EQ(CountRows(store, keys::kBlobs), 0u);
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_FREED);
}

TEST_F(GarbageTest, WorkWithoutAPauseBeginsAnotherRunAfterAnHour) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(collector->Step());
  collector->WorkAfter(minutes(61));
  const std::vector<v1::RunRow> runs = collector->Runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(runs[0].removed().links() + runs[1].removed().links(), 100u);
}

TEST_F(GarbageTest, AFailedStepEndsTheRunSoThatItsTrashIsFreed) {
  const std::string broken = std::string(keys::kCondemned) + "~";
  const auto write = [&](MetaTransaction& transaction) { return transaction.Put(broken, {}); };
  const auto repair = [&](MetaTransaction& transaction) { return transaction.Delete(broken); };
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(collector->Step());
  ASSERT_TRUE(Transact(*store.meta, write).has_value());
  EXPECT_GT((*collector)->Step(), seconds(1)) << "the step fails";
  ASSERT_TRUE(Transact(*store.meta, repair).has_value());
  collector->Work();
  ASSERT_EQ(collector->Runs().size(), 2u);
  EXPECT_EQ(collector->Runs().front().state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_DONE);
  collector->WorkAfter(hours(25));
  EXPECT_THAT(store.Files("blobs"), testing::IsEmpty());
}

TEST_F(GarbageTest, AfterAStepOfTheClockEveryLeaseHasItsTime) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(35) + minutes(2));
  ASSERT_TRUE(store.content->blobs.Touch(Repo("a"), Sha256("layer")).has_value());
  collector.reset();
  store.times.grace = minutes(30);  // less than the lease
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->Work();
  EXPECT_TRUE(HasBlob("a", "layer"));
  store.clock.StepWall(minutes(59));
  ASSERT_TRUE(store.store_clock.Save(*store.meta).has_value());
  collector->WorkAfter(minutes(2));
  EXPECT_TRUE(HasBlob("a", "layer"));
  EXPECT_GT((*collector)->Get()->clock_step_wait_ms(), 57 * 60'000);
  EXPECT_THAT((*collector)->Warnings(),
              testing::ElementsAre(testing::HasSubstr("because the clock stepped forward")));
  collector->WorkAfter(minutes(59));
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_EQ((*collector)->Get()->clock_step_wait_ms(), 0);
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty());
}

TEST_F(GarbageTest, ARequestedRunWaitsAfterAStepOfTheClock) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(37));
  store.clock.StepWall(minutes(10));
  ASSERT_TRUE(store.store_clock.Save(*store.meta).has_value());
  const std::string digest = Sha256(ImageManifest({"config"})).ToString();
  const v1::RunRow waits = collector->RunUntagged();
  EXPECT_EQ(waits.state(), v1::RUN_STATE_RUNNING);
  EXPECT_TRUE(HasManifest("a", digest));
  collector->WorkAfter(hours(1));
  EXPECT_EQ((*collector)->Get()->running(), "");
  EXPECT_FALSE(HasManifest("a", digest));
}

TEST_F(GarbageTest, AnObjectThatTheDiskDoesNotRemoveStopsNothing) {
  ASSERT_TRUE(store.PushBlob("a", "stuck").has_value());
  const std::filesystem::path stuck = store.Files("blobs").front();
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  std::filesystem::remove(stuck);
  std::filesystem::create_directories(stuck / "full");
  collector->WorkAfter(hours(37));
  ASSERT_TRUE(store.PushBlob("a", "later").has_value());
  collector->WorkAfter(hours(25));
  EXPECT_EQ(store.Files("blobs").size(), 1u) << "only the later blob is left";
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_FREED);
  EXPECT_EQ(CountRows(store, keys::kIntents), 1u);
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "later")) << "the collector goes on";
  std::filesystem::remove(stuck / "full");
  std::filesystem::remove(stuck);
  store.clock.Advance(hours(1));
  collector.reset();
  store.Reopen();
  EXPECT_EQ(CountRows(store, keys::kIntents), 0u) << "the next start tries again";
}

TEST_F(GarbageTest, AShortDiskFreesBlobsAtOnce) {
  collector = std::make_unique<TestCollector>(
      store, Collector::Limits{.free_at_once_below = uint64_t{1} << 62});
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  EXPECT_THAT(store.Files("blobs"), testing::IsEmpty());
  ExpectConsistent();
}

TEST_F(GarbageTest, OutsideTheWindowNothingGoesByItself) {
  const auto window_in = [&](int from) {
    for (int minute = from; minute < 24 * 60; ++minute) {
      const std::string text = std::to_string(100 + minute / 60).substr(1) + ":" +
                               std::to_string(100 + minute % 60).substr(1);
      const std::string next = std::to_string(100 + (minute + 1) / 60).substr(1) + ":" +
                               std::to_string(100 + (minute + 1) % 60).substr(1);
      DailyWindow window = *DailyWindow::Parse(text + "-" + next);
      if (!window.Contains(store.clock.Wall())) return window;
    }
    return DailyWindow();
  };
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(37));
  collector = std::make_unique<TestCollector>(store, Collector::Limits{.window = window_in(0)});
  collector->Work();
  EXPECT_FALSE((*collector)->Get()->in_window());
  EXPECT_TRUE(HasBlob("a", "layer"));
  EXPECT_EQ(collector->Run({}).removed().links(), 1u) << "a requested run does not wait";
  EXPECT_FALSE(HasBlob("a", "layer"));
}

TEST_F(GarbageTest, WorkThatIsLateForADayIsAWarningUnlessTheCollectorIsPaused) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->Pause();
  collector->WorkAfter(hours(36 + 25));
  EXPECT_EQ((*collector)->Get()->overdue(), 1u);
  EXPECT_EQ(store.metrics.Gauge("outport_store_gc_overdue", "").Value(), 1.0);
  EXPECT_EQ(store.metrics.Gauge("outport_store_gc_queue", "").Value(), 1.0);
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty());
  collector->Resume();
  static_cast<void>(collector->Step());  // sees the state before it removes anything
  EXPECT_THAT((*collector)->Warnings(),
              testing::ElementsAre(testing::HasSubstr("garbage collection is overdue since")));
  collector->WorkAfter(minutes(1));
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty());
}

TEST_F(GarbageTest, ALongerGracePeriodHoldsForLinksThatAreInTheQueueAlready) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.times.grace = hours(100);
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->WorkAfter(hours(37));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
  collector->WorkAfter(hours(64));
  EXPECT_FALSE(HasBlob("a", "layer"));
}

TEST_F(GarbageTest, TheBlobsOfACorruptManifestGoAfterItsDeletion) {
  const std::string image = ImageManifest({"config", "layer"});
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  collector->Work();  // the first scan is complete
  const auto corrupt = [&](MetaTransaction& transaction) {
    return transaction.Put(keys::Content(Sha256(image)), "{");
  };
  ASSERT_TRUE(Transact(*store.meta, corrupt).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(image).ToString()).has_value());
  collector->WorkAfter(minutes(10));
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "config"));
  EXPECT_FALSE(HasBlob("a", "layer"));
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(store.Files("blobs").empty());
}

// One look deletes only some of the references that corrupt manifests left.
TEST_F(GarbageTest, ALinkWithManyReferencesOfDeletedManifestsLeavesNone) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->Work();
  const auto write = [&](MetaTransaction& transaction) -> Result<void> {
    for (size_t i = 0; i < 3 * Collection::kMaxStale; ++i) {
      const Digest gone = Sha256("gone " + std::to_string(i));
      TRY_VOID(transaction.Put(keys::ReferenceOf(Sha256("layer"), Repo("a"), gone), {}));
    }
    return {};
  };
  ASSERT_TRUE(Transact(*store.meta, write).has_value());
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_EQ(CountRows(store, keys::ReferencesTo(Sha256("layer"), Repo("a"))), 0u);
}

// The rows of an earlier release have no leases, no queue and no candidates.
void ForgetGarbage(TestContent& store) {
  const auto forget = [&](MetaTransaction& transaction) -> Result<void> {
    for (const char* prefix : {"condemned/", "untagged/", "collector"}) {
      TRY(const auto rows, store.meta->Scan({.prefix = prefix}));
      for (const KeyValue& row : rows) TRY_VOID(transaction.Delete(row.key));
    }
    TRY(const auto links, store.meta->Scan({.prefix = std::string(keys::kLinks)}));
    for (const KeyValue& row : links) {
      TRY(auto link, ParseRow<v1::LinkRow>(row.key, row.value));
      link.clear_condemned_ms();
      link.clear_due_ms();
      link.clear_lease_until_ms();
      TRY_VOID(WriteRow(transaction, row.key, link));
    }
    return {};
  };
  ASSERT_TRUE(Transact(*store.meta, forget).has_value());
}

TEST_F(GarbageTest, TheGarbageOfAnEarlierReleaseIsFoundOnce) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.PushImage("b", "v1", {"other config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "v1").has_value());
  ASSERT_TRUE(store.PushBlob("a", "nobody's").has_value());
  ASSERT_TRUE(store.PushBlob("a", "without a link").has_value());
  ForgetGarbage(store);
  const auto unlink = [&](MetaTransaction& transaction) -> Result<void> {
    const Digest digest = Sha256("without a link");
    TRY_VOID(transaction.Delete(keys::Link(Repo("a"), digest)));
    return transaction.Delete(keys::Linked(digest, Repo("a")));
  };
  ASSERT_TRUE(Transact(*store.meta, unlink).has_value());
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->Work();
  EXPECT_TRUE((*collector)->Get()->scanned());
  ExpectConsistent();
  collector->WorkAfter(hours(37));
  EXPECT_TRUE(HasBlob("a", "layer"));
  EXPECT_FALSE(HasBlob("a", "nobody's"));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 1u);
  collector->WorkAfter(hours(37));  // removes the blobs of that manifest
  collector->WorkAfter(hours(100));
  EXPECT_EQ(store.Files("blobs").size(), 2u);
  ExpectConsistent();
}

TEST_F(GarbageTest, ACorruptRowHoldsUpNoScan) {
  const auto corrupt = store.PushImage("a", "v1", {"config"});
  ASSERT_TRUE(corrupt.has_value());
  ASSERT_TRUE(store.PushBlob("b", "nobody's").has_value());
  ForgetGarbage(store);
  for (const std::string& key :
       {keys::ManifestOf(Repo("a"), corrupt->digest), keys::Link(Repo("a"), Sha256("config"))}) {
    const auto damage = [&](MetaTransaction& transaction) { return transaction.Put(key, "\xff"); };
    ASSERT_TRUE(Transact(*store.meta, damage).has_value());
  }
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->Work();
  EXPECT_TRUE((*collector)->Get()->scanned());
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("b", "nobody's"));
}

}  // namespace
}  // namespace outport::store
