#include <memory>

#include "registry/records/rows.h"
#include "store/content/tag_history.h"
#include "store/content/tag_restore.h"
#include "store/content/touch.h"
#include "store/retention/retention.h"
#include "tests/store/content/tag_event_check.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/store/retention/deed.h"
#include "tests/support/sanitizer.h"
#include "tests/support/test_name.h"

// Requests and jobs that a kill, a power cut or a failure of the disk interrupts at each of its
// changes.
namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

constexpr const char* kLastOne =
    "policies:\n"
    "  - name: ci\n"
    "    repositories: [\"ci/*\"]\n"
    "    keep:\n"
    "      - {tags: \".*\", last_pushed: 1}\n";

Result<TagRestore::Restored> RestoreTag(TestContent& store, const std::string& repository,
                                        const std::string& tag) {
  const TagRestore restore({.meta = *store.meta,
                            .clock = store.clock,
                            .store_clock = store.store_clock,
                            .times = store.times});
  return restore.Run(Repo(repository), *Tag::Parse(tag), TagRestore::BeforeLastChange(),
                     kAdministrator);
}

Retention MakeRetention(TestContent& store, TestCollector& collector) {
  return Retention({.meta = *store.meta,
                    .clock = store.clock,
                    .store_clock = store.store_clock,
                    .times = store.times,
                    .collector = *collector,
                    .log = Log::Nowhere()});
}

v1::RunRow FindRun(TestCollector& collector, const std::string& id) {
  v1::GetRunRequest request;
  request.set_id(id);
  return collector->GetRun(request).value_or(v1::RunRow());
}

// Runs steps until the job has ended. Returns its run; the row is empty if a step failed.
v1::RunRow FinishJob(TestContent& store, TestCollector& collector, const std::string& run) {
  for (int i = 0; i < 1000; ++i) {
    const auto state = collector->Get();
    if (!state.has_value()) return {};
    if (state->running().empty()) return FindRun(collector, run);
    if (collector->Step() > std::chrono::seconds(1)) return {};
    store.clock.Advance(std::chrono::milliseconds(1));
  }
  return {};
}

v1::RunRow Undo(TestContent& store, TestCollector& collector, const std::string& run) {
  static_cast<void>(collector->Step());  // acquires the lease
  v1::UndoRunRequest request;
  request.set_id(run);
  if (!collector->UndoRun(request, kAdministrator).has_value()) return {};
  return FinishJob(store, collector, run);
}

void ExpectImage(TestContent& store, const std::string& repository, const std::string& reference,
                 const std::vector<std::string>& blobs) {
  const auto manifest = store.PullManifest(repository, reference);
  ASSERT_TRUE(manifest.has_value()) << repository << ":" << reference;
  EXPECT_EQ(manifest->body, ImageManifest(blobs));
  for (const std::string& blob : blobs) {
    EXPECT_EQ(store.PullBlob(repository, Sha256(blob)).value_or("absent"), blob);
  }
}

class MountAndPut final : public Deed {
 public:
  void Prepare(TestContent& store) override {
    ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  }
  void Do(TestContent& store) override {
    mounted_ = store.Mount("b", "layer", "a").has_value();
    put_ = mounted_ && store.PushManifest("b", "v1", ImageManifest({"layer"})).has_value();
  }
  void Check(TestContent& store) override {
    store.clock.Advance(minutes(30));
    TestCollector collector(store);
    collector.Work();
    if (mounted_) EXPECT_EQ(store.PullBlob("b", Sha256("layer")).value_or("absent"), "layer");
    if (put_) ExpectImage(store, "b", "v1", {"layer"});
    ASSERT_TRUE(store.Mount("b", "layer", "a").has_value());
    ASSERT_TRUE(store.PushManifest("b", "v1", ImageManifest({"layer"})).has_value());
    ExpectImage(store, "b", "v1", {"layer"});
  }

 private:
  bool mounted_ = false;
  bool put_ = false;
};

// A touch that was acknowledged keeps the content longer than the first lease.
class Touches final : public Deed {
 public:
  void Prepare(TestContent& store) override {
    ASSERT_TRUE(store.PushBlob("a", "blob").has_value());
    ASSERT_TRUE(store.PushBlob("a", "config").has_value());
    ASSERT_TRUE(store.PushTagged("a", ImageManifest({"config"}), {}).has_value());
    store.clock.Advance(minutes(50));
  }
  void Do(TestContent& store) override {
    const auto blob = TouchBlob(*store.content, Repo("a"), Sha256("blob"));
    blob_ = blob.has_value() && blob->lease_left_ms > 0;
    const auto manifest =
        TouchManifest(*store.content, Repo("a"), Sha256(ImageManifest({"config"})));
    manifest_ = manifest.has_value() && manifest->lease_left_ms > 0;
  }
  void Check(TestContent& store) override {
    store.clock.Advance(minutes(20));
    TestCollector collector(store);
    static_cast<void>(collector.RunUntagged());
    if (blob_) ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"blob"})).has_value());
    const std::string child = Sha256(ImageManifest({"config"})).ToString();
    if (manifest_) ExpectImage(store, "a", child, {"config"});
  }

 private:
  bool blob_ = false;
  bool manifest_ = false;
};

// A collector removes the blobs of an image, and frees their bytes, while the image is pushed
// again.
class CollectionAndPush final : public Deed {
 public:
  void Prepare(TestContent& store) override {
    ASSERT_TRUE(store.PushImage("a", "keep", {"config", "kept"}).has_value());
    ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
    ASSERT_TRUE(store.PushBlob("a", "garbage").has_value());
    ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  }
  void Do(TestContent& store) override {
    TestCollector collector(store);
    StepAfter(store, collector, hours(2));
    static_cast<void>(collector->StartRun(Untagged(), kAdministrator));
    StepAfter(store, collector, hours(0));
    StepAfter(store, collector, hours(2));
    pushed_ = store.PushImage("a", "v2", {"config", "layer"}).has_value();
    StepAfter(store, collector, hours(25));
  }
  void Check(TestContent& store) override {
    ExpectImage(store, "a", "keep", {"config", "kept"});
    if (pushed_) ExpectImage(store, "a", "v2", {"config", "layer"});
    ASSERT_TRUE(store.PushImage("a", "v2", {"config", "layer"}).has_value());
    TestCollector collector(store);
    collector.WorkAfter(hours(50));
    ExpectImage(store, "a", "keep", {"config", "kept"});
    ExpectImage(store, "a", "v2", {"config", "layer"});
  }

 private:
  static v1::StartRunRequest Untagged() {
    v1::StartRunRequest request;
    request.mutable_options()->set_delete_untagged(true);
    return request;
  }
  // A step that failed does not end the work: the next one tries again.
  static void StepAfter(TestContent& store, TestCollector& collector, std::chrono::hours time) {
    store.clock.Advance(time);
    for (int i = 0; i < 12; ++i) {
      static_cast<void>(collector->Step());
      store.clock.Advance(std::chrono::milliseconds(1));
    }
  }

  bool pushed_ = false;
};

// An index with two images was deleted, and its blobs were collected.
class RestoreOfATag final : public Deed {
 public:
  void Prepare(TestContent& store) override {
    ASSERT_TRUE(store.PushImage("a", "one", {"config", "one"}).has_value());
    ASSERT_TRUE(store.PushImage("a", "two", {"config", "two"}).has_value());
    ASSERT_TRUE(store.PushManifest("a", "multi", kIndex).has_value());
    for (const std::string& body : {kIndex, kOne, kTwo}) {
      ASSERT_TRUE(store.DeleteManifest("a", Sha256(body).ToString()).has_value());
    }
    TestCollector collector(store);
    collector.WorkAfter(hours(2));
    ASSERT_FALSE(store.PullBlob("a", Sha256("one")).has_value());
  }
  void Do(TestContent& store) override { restored_ = RestoreTag(store, "a", "multi").has_value(); }
  void Check(TestContent& store) override {
    const bool here = store.PullManifest("a", "multi").has_value();
    if (restored_) EXPECT_TRUE(here);
    if (here) ExpectWhole(store);
    const auto again = RestoreTag(store, "a", "multi");
    EXPECT_EQ(again.has_value(), !here) << "before its last change, the tag did not exist";
    ExpectWhole(store);
  }

 private:
  static void ExpectWhole(TestContent& store) {
    ASSERT_EQ(store.PullManifest("a", "multi")->body, kIndex);
    ExpectImage(store, "a", Sha256(kOne).ToString(), {"config", "one"});
    ExpectImage(store, "a", Sha256(kTwo).ToString(), {"config", "two"});
  }

  static inline const std::string kOne = ImageManifest({"config", "one"});
  static inline const std::string kTwo = ImageManifest({"config", "two"});
  static inline const std::string kIndex = IndexManifest({kOne, kTwo});
  bool restored_ = false;
};

// Three builds, of which retention keeps the last one.
class RunOfRetention : public Deed {
 public:
  void Prepare(TestContent& store) override {
    for (const char* tag : {"1", "2", "3"}) {
      store.clock.Advance(hours(1));
      ASSERT_TRUE(store.PushImage("ci/app", tag, {"config", tag}).has_value());
    }
    TestCollector collector(store);
    v1::ApplyPoliciesRequest request;
    request.set_yaml(kLastOne);
    ASSERT_TRUE(MakeRetention(store, collector).Apply(request, kAdministrator).has_value());
  }
  void Do(TestContent& store) override {
    TestCollector collector(store);
    static_cast<void>(collector->Step());  // acquires the lease
    const auto started = MakeRetention(store, collector).StartRun({}, kAdministrator);
    if (!started.has_value()) return;
    run_ = started->id();
    done_ = FinishJob(store, collector, run_).state() == v1::RUN_STATE_DONE;
  }
  void Check(TestContent& store) override {
    TestCollector collector(store);
    collector.Work();
    ExpectImage(store, "ci/app", "3", {"config", "3"});
    const size_t gone = 3 - CountRows(store, keys::kTags);
    if (done_) EXPECT_EQ(gone, 2u);
    if (run_.empty()) return;
    const v1::RunRow run = FindRun(collector, run_);
    EXPECT_EQ(run.removed().tags(), gone) << "the row counts exactly what the run deleted";
    EXPECT_EQ(run.state(), done_ ? v1::RUN_STATE_DONE : run.state());
    EXPECT_NE(run.state(), v1::RUN_STATE_RUNNING);
    EXPECT_EQ(Undo(store, collector, run_).restored().tags(), gone);
    ExpectAll(store);
  }

 protected:
  static void ExpectAll(TestContent& store) {
    for (const char* tag : {"1", "2", "3"}) ExpectImage(store, "ci/app", tag, {"config", tag});
  }
  std::string run_;
  bool done_ = false;
};

// Retention deleted two tags, and a second run removed their manifests and blobs.
class UndoOfTwoRuns final : public RunOfRetention {
 public:
  void Prepare(TestContent& store) override {
    RunOfRetention::Prepare(store);
    RunOfRetention::Do(store);
    ASSERT_TRUE(done_);
    store.clock.Advance(hours(2));
    TestCollector collector(store);
    untagged_ = collector.RunUntagged().id();
    ASSERT_FALSE(store.PullBlob("ci/app", Sha256("1")).has_value());
    store.clock.Advance(minutes(1));  // the lease of this collector ends
  }
  void Do(TestContent& store) override {
    TestCollector collector(store);
    content_ = IsUndone(Undo(store, collector, untagged_));
    tags_ = content_ && IsUndone(Undo(store, collector, run_));
  }
  void Check(TestContent& store) override {
    TestCollector collector(store);
    collector.Work();  // continues an undo
    if (content_) ExpectImage(store, "ci/app", Sha256(kOne).ToString(), {"config", "1"});
    if (tags_) ExpectAll(store);
    for (const std::string& run : {untagged_, run_}) {
      const v1::RunRow before = FindRun(collector, run);
      EXPECT_TRUE(IsUndone(before) || before.state() == v1::RUN_STATE_DONE) << before.state();
      // An undo that came to its end before the interruption cannot be repeated.
      EXPECT_TRUE(IsUndone(before) || IsUndone(Undo(store, collector, run)));
      EXPECT_EQ(FindRun(collector, run).not_restored(), 0u);
    }
    EXPECT_EQ(FindRun(collector, run_).restored().tags(), 2u) << "counted once";
    ExpectAll(store);
  }

 private:
  static bool IsUndone(const v1::RunRow& run) { return run.state() == v1::RUN_STATE_UNDONE; }

  static inline const std::string kOne = ImageManifest({"config", "1"});
  std::string untagged_;
  bool content_ = false;
  bool tags_ = false;
};

// A tag is set, moved, deleted in both ways, and restored.
class MovesOfTags final : public Deed {
 public:
  void Prepare(TestContent& store) override {
    for (const char* blob : {"one", "two"}) ASSERT_TRUE(store.PushBlob("a", blob).has_value());
  }
  void Do(TestContent& store) override {
    const auto acknowledge = [&](const auto& result, const std::string& digest) {
      if (result.has_value()) acknowledged_.push_back(digest);
      return result.has_value();
    };
    const std::string one = Sha256(kOne).ToString();
    const std::string two = Sha256(kTwo).ToString();
    static_cast<void>(acknowledge(store.PushManifest("a", "v1", kOne), one) &&
                      acknowledge(store.PushManifest("a", "v1", kTwo), two) &&
                      acknowledge(store.DeleteManifest("a", "v1"), "") &&
                      acknowledge(RestoreTag(store, "a", "v1"), two) &&
                      acknowledge(store.DeleteManifest("a", two), "") &&
                      acknowledge(RestoreTag(store, "a", "v1"), two));
  }
  void Check(TestContent& store) override {
    const auto events = TagHistory(*store.meta).Of(Repo("a"), *Tag::Parse("v1"));
    ASSERT_TRUE(events.has_value());
    // The change that was interrupted may have happened.
    const size_t changes = acknowledged_.size();
    ASSERT_TRUE(events->size() == changes || events->size() == changes + 1) << events->size();
    for (size_t i = 0; i < changes; ++i) {
      EXPECT_EQ((*events)[events->size() - 1 - i].after(), acknowledged_[i]) << "change " << i;
    }
  }

 private:
  static inline const std::string kOne = ImageManifest({"one"});
  static inline const std::string kTwo = ImageManifest({"two"});
  std::vector<std::string> acknowledged_;  // what the tag was after each change
};

struct Row {
  const char* what;
  std::unique_ptr<Deed> (*make)();
};

template <class T>
std::unique_ptr<Deed> Make() {
  return std::make_unique<T>();
}

class InterruptionTest : public testing::TestWithParam<Row> {};

TEST_P(InterruptionTest, AtEachChangeOfTheDisk) {
  const size_t points = DoAndRestart(*GetParam().make(), 0, Blow::kPowerCut);
  ASSERT_GT(points, 1u);
  for (const Blow blow : kBlows) {
    for (uint64_t point = 1; point <= points; point += testing_support::kSanitized ? 3 : 1) {
      SCOPED_TRACE("blow " + std::to_string(static_cast<int>(blow)) + " at point " +
                   std::to_string(point) + " of " + std::to_string(points));
      static_cast<void>(DoAndRestart(*GetParam().make(), point, blow));
      if (testing::Test::HasFailure()) return;
    }
  }
}

constexpr Row kRows[] = {
    {"collection", &Make<CollectionAndPush>},
    {"mount and put", &Make<MountAndPut>},
    {"touch", &Make<Touches>},
    {"restore of a tag", &Make<RestoreOfATag>},
    {"run of retention", &Make<RunOfRetention>},
    {"undo", &Make<UndoOfTwoRuns>},
    {"moves of tags", &Make<MovesOfTags>},
};
INSTANTIATE_TEST_SUITE_P(Deeds, InterruptionTest, testing::ValuesIn(kRows), kNameOfRow);

// The tests above can fail: they find a tag without its event, and an event without its tag.
TEST(TagEventCheck, FindsWhatIsMissing) {
  for (const std::string_view prefix : {keys::kTags, keys::kTagEvents}) {
    TestContent store;
    ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
    EXPECT_THAT(ProblemsOfTagEvents(*store.meta), testing::IsEmpty());
    const auto rows = store.meta->Scan({.prefix = std::string(prefix), .limit = 10});
    ASSERT_EQ(rows->size(), 1u);
    const auto removed = Transact(*store.meta, [&](MetaTransaction& transaction) {
      return transaction.Delete(rows->front().key);
    });
    ASSERT_TRUE(removed.has_value());
    EXPECT_EQ(ProblemsOfTagEvents(*store.meta).size(), 1u) << prefix;
  }
}

}  // namespace
}  // namespace outport::store
