#include <string>
#include <utility>

#include "registry/records/rows.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/store/gc/watched_stores.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr size_t kManifests = 20;

// The metadata is slow: the clock advances in transactions and scans.
class SlowStepsTest : public CollectorTest {
 protected:
  explicit SlowStepsTest(CollectionTimes times = {}) : CollectorTest(times) {
    collector = std::make_unique<TestCollector>(store, Collector::Limits(),
                                                TestCollector::Devices{.meta = &meta});
  }
  ~SlowStepsTest() override { collector.reset(); }  // before the metadata that it uses

  // Makes manifests that nothing refers to, and starts a run that removes them.
  void StartRun() {
    for (size_t i = 0; i < kManifests; ++i) {
      ASSERT_TRUE(store.PushImage("a", "v1", {"config " + std::to_string(i)}).has_value());
    }
    ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
    collector->WorkAfter(hours(37));
    v1::StartRunRequest request;
    request.mutable_options()->set_delete_untagged(true);
    const auto started = (*collector)->StartRun(request, kAdministrator);
    ASSERT_TRUE(started.has_value()) << started.error().message;
    run_ = started->id();
  }
  void StartUndo(const std::string& run) {
    static_cast<void>(collector->Step());  // acquires the lease
    v1::UndoRunRequest request;
    request.set_id(run);
    const auto started = (*collector)->UndoRun(request, kAdministrator);
    ASSERT_TRUE(started.has_value()) << started.error().message;
  }
  v1::RunRow Run() {
    v1::GetRunRequest request;
    request.set_id(run_);
    return *(*collector)->GetRun(request);
  }

  WatchedMeta meta{*store.meta};

 private:
  std::string run_;
};

TEST_F(SlowStepsTest, AStepOverManifestsEndsAfterFiveSeconds) {
  StartRun();
  meta.on_begin = [&] { store.clock.Advance(seconds(2)); };
  ASSERT_TRUE(collector->Step());
  EXPECT_EQ(Run().removed().manifests(), 3u);
  collector->Work();
  EXPECT_EQ(Run().state(), v1::RUN_STATE_DONE) << Run().failure();
  EXPECT_EQ(Run().removed().manifests(), kManifests);
}

TEST_F(SlowStepsTest, AStepOfAnUndoEndsAfterFiveSeconds) {
  StartRun();
  collector->Work();
  ASSERT_EQ(Run().removed().manifests(), kManifests);
  StartUndo(Run().id());
  meta.on_begin = [&] { store.clock.Advance(seconds(2)); };
  ASSERT_TRUE(collector->Step());
  EXPECT_EQ(Run().restored().manifests(), 3u);
  collector->Work();
  EXPECT_EQ(Run().state(), v1::RUN_STATE_UNDONE) << Run().failure();
  EXPECT_EQ(Run().restored().manifests(), kManifests);
}

// The child is in the trash of another run; the index brings it back.
TEST_F(SlowStepsTest, AnUndoThatOutlivesItsLeaseRestoresNoChild) {
  const std::string child = ImageManifest({"config"});
  const std::string index = IndexManifest({child});
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.PushTagged("a", index, {}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(index).ToString()).has_value());
  const std::string run = (*collector)->ListRuns({})->runs(0).id();
  store.clock.Advance(hours(1));
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(child).ToString()).has_value());
  StartUndo(run);
  bool reads_child = false;
  int slow = 0;
  meta.on_get = [&](std::string_view key) {
    reads_child = reads_child || key == keys::Content(Sha256(child));
  };
  meta.on_begin = [&] {
    if (reads_child && slow++ == 0) store.clock.Advance(WorkLease::kDuration);
  };
  for (int step = 0; step < 10 && slow == 0; ++step) static_cast<void>((*collector)->Step());
  EXPECT_GE(slow, 1);
  EXPECT_FALSE(HasManifest("a", Sha256(child).ToString()));
  collector->Work();
  EXPECT_TRUE(HasManifest("a", Sha256(index).ToString()));
  v1::GetRunRequest request;
  request.set_id(run);
  EXPECT_EQ((*collector)->GetRun(request)->state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ((*collector)->GetRun(request)->restored().manifests(), 2u);
}

TEST_F(SlowStepsTest, AStepThatOutlivesItsLeaseIsRepeated) {
  StartRun();
  int slow = 3;
  meta.on_begin = [&] {
    if (slow > 0) store.clock.Advance(WorkLease::kDuration + seconds(--slow));
  };
  collector->Work();
  EXPECT_EQ(slow, 0);
  EXPECT_EQ(Run().state(), v1::RUN_STATE_DONE) << Run().failure();
  EXPECT_EQ(Run().removed().manifests(), kManifests);
}

TEST_F(SlowStepsTest, AStepThatLosesItsLeaseEndsTheRun) {
  StartRun();
  TestCollector other(store);
  bool slow = true;
  meta.on_begin = [&] {
    if (!std::exchange(slow, false)) return;
    store.clock.Advance(WorkLease::kDuration);
    static_cast<void>((*other).Step());
  };
  static_cast<void>((*collector)->Step());
  EXPECT_FALSE(slow);
  EXPECT_EQ(Run().state(), v1::RUN_STATE_FAILED);
  static_cast<void>((*collector)->Step());
  EXPECT_EQ((*collector)->Get()->running(), "");
  EXPECT_EQ(Run().removed().manifests(), 0u);
}

// Another process has held the lease, and has ended before this one looks again.
TEST_F(SlowStepsTest, AfterAnotherHolderOfTheLeaseItsRunsAreRecovered) {
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  collector->WorkAfter(hours(1));
  store.clock.Advance(hours(36));
  auto other = std::make_unique<TestCollector>(store);
  ASSERT_TRUE(other->Step());
  ASSERT_EQ(other->LastRun().state(), v1::RUN_STATE_RUNNING);
  other.reset();  // as by a kill
  store.clock.Advance(WorkLease::kDuration);
  ASSERT_TRUE(collector->Step());
  const std::vector<v1::RunRow> runs = collector->Runs();
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(runs[0].state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(runs[1].state(), v1::RUN_STATE_RUNNING);
}

// Without a trash window, the collector looks at its queue each second.
class SlowStatusTest : public SlowStepsTest {
 protected:
  SlowStatusTest() : SlowStepsTest({.trash = milliseconds(0)}) {}
};

TEST_F(SlowStatusTest, TakesLittleOfTheTime) {
  collector->Work();
  int reads = 0;
  meta.on_scan = [&](const ScanRange& range) {
    const bool of_status = range.prefix == keys::kCondemned && range.after.empty();
    if (!of_status || range.limit < 1000) return;
    ++reads;
    store.clock.Advance(milliseconds(100));
  };
  for (int second = 0; second < 60; ++second) {
    store.clock.Advance(seconds(1));
    static_cast<void>(collector->Step());
  }
  EXPECT_GE(reads, 10);
  EXPECT_LE(reads, 13);
}

}  // namespace
}  // namespace outport::store
