#include <thread>

#include "registry/records/rows.h"
#include "store/content/touch.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

// The classic races between pushes and the collector. The steps of both sides run in the order that
// loses data in a collector without touches, leases, locks or second looks.
class RaceTest : public CollectorTest {};

TEST_F(RaceTest, HeadThenCollectThenManifestPut) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(37));  // the link is due
  const auto head = store.content->blobs.Touch(Repo("a"), Sha256("layer"));
  ASSERT_TRUE(head.has_value());
  EXPECT_GE(head->lease_left_ms, 30 * 60 * 1000);
  collector->Work();
  EXPECT_TRUE(store.PushManifest("a", "v1", ImageManifest({"layer"})).has_value())
      << "the client heard that the blob exists";
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
}

// While the store rejects pushes, a HEAD promises the same: there may be space again when the
// client puts the manifest.
TEST_F(RaceTest, HeadOnAFullDiskThenCollectThenManifestPut) {
  Content full({.meta = *store.meta,
                .bytes = *store.bytes,
                .clock = store.clock,
                .store_clock = store.store_clock,
                .owner = *store.owner,
                .times = store.times,
                .metrics = store.metrics,
                .log = Log::Nowhere(),
                .headroom_bytes = UINT64_MAX / 2});
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(37));  // the link is due
  ASSERT_EQ(CodeOf(full.blobs.RequireFreeSpace(0)), ErrorCode::kNoSpace);
  const auto head = TouchBlob(full, Repo("a"), Sha256("layer"));
  ASSERT_TRUE(head.has_value());
  EXPECT_GE(head->lease_left_ms, 30 * 60 * 1000);
  collector->Work();
  EXPECT_TRUE(store.PushManifest("a", "v1", ImageManifest({"layer"})).has_value())
      << "the client heard that the blob exists";
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
}

TEST_F(RaceTest, HeadWithoutAManifestPutOnlyPostpones) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.content->blobs.Touch(Repo("a"), Sha256("layer")).has_value());
  collector->WorkAfter(hours(35));
  EXPECT_TRUE(HasBlob("a", "layer"));
  collector->WorkAfter(hours(2));
  EXPECT_FALSE(HasBlob("a", "layer"));
}

// The client uploads another layer after the HEAD, and that takes longer than the lease.
TEST_F(RaceTest, HeadThenALongUploadThenManifestPut) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(36));  // the link is due
  ASSERT_TRUE(store.content->blobs.Touch(Repo("a"), Sha256("layer")).has_value());
  EXPECT_THAT(ItemsOf(collector->Plan()), testing::IsEmpty());
  collector->WorkAfter(hours(2));
  ASSERT_TRUE(store.PushBlob("a", "large layer").has_value());
  EXPECT_TRUE(store.PushManifest("a", "v1", ImageManifest({"layer", "large layer"})).has_value())
      << "the HEAD began the grace period anew";
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
}

TEST_F(RaceTest, HeadOfAnUntaggedManifestBeginsItsGracePeriodAnew) {
  const std::string child = Sha256(ImageManifest({"config"})).ToString();
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.content->manifests.Touch(Repo("a"), Ref(child)).has_value());
  store.clock.Advance(hours(35));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  store.clock.Advance(hours(2));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 1u);
}

TEST_F(RaceTest, CollectThenHead) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  EXPECT_EQ(CodeOf(store.content->blobs.Touch(Repo("a"), Sha256("layer"))),
            ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store.PushManifest("a", "v1", ImageManifest({"layer"}))),
            ErrorCode::kManifestBlobUnknown);
  EXPECT_EQ(CodeOf(store.Mount("b", "layer", "a")), ErrorCode::kBlobUnknown);
}

TEST_F(RaceTest, HeadOfAManifestThenCollectThenIndexPut) {
  const std::string child = ImageManifest({"config"});
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.content->manifests.Touch(Repo("a"), Ref(Sha256(child).ToString())).has_value());
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  EXPECT_TRUE(store.PushManifest("a", "index", IndexManifest({child})).has_value());
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  ExpectConsistent();
}

TEST_F(RaceTest, MountAgainstDelete) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.Mount("b", "layer", "a").has_value());
  collector->Work();  // removes the source, which is due
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_TRUE(store.PushManifest("b", "v1", ImageManifest({"layer"})).has_value());
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasBlob("b", "layer"));
  ExpectConsistent();
}

// Runs both concurrently, on two threads.
template <class First, class Second>
void Together(First first, Second second) {
  std::thread other(second);
  first();
  other.join();
}

TEST_F(RaceTest, MountAndDeleteAtTheSameTime) {
  for (int round = 0; round < 40; ++round) {
    const std::string layer = "layer " + std::to_string(round);
    ASSERT_TRUE(store.PushBlob("a", layer).has_value());
    store.clock.Advance(hours(37));
    bool mounted = false;
    Together([&] { collector->Work(); },
             [&] { mounted = store.Mount("b", layer, "a").has_value(); });
    ASSERT_EQ(HasBlob("b", layer), mounted) << "round " << round;
    ASSERT_FALSE(HasBlob("a", layer));
  }
  ExpectConsistent();
}

TEST_F(RaceTest, ManifestPutAndDeleteAtTheSameTime) {
  for (int round = 0; round < 40; ++round) {
    const std::string layer = "layer " + std::to_string(round);
    ASSERT_TRUE(store.PushBlob("a", layer).has_value());
    store.clock.Advance(hours(37));
    bool put = false;
    Together([&] { collector->Work(); },
             [&] { put = store.PushManifest("a", "v1", ImageManifest({layer})).has_value(); });
    ASSERT_EQ(HasBlob("a", layer), put) << "round " << round;
  }
  ExpectConsistent();
}

TEST_F(RaceTest, RepushWhileDeleting) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));  // in the trash: its row and its object exist
  ASSERT_FALSE(HasBlob("a", "layer"));
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  EXPECT_TRUE(HasBlob("a", "layer"));
  EXPECT_EQ(store.Files("blobs").size(), 1u) << "the new object replaces the one in the trash";
  ExpectConsistent();
  ASSERT_TRUE(store.PushManifest("a", "v1", ImageManifest({"layer"})).has_value());
  collector->WorkAfter(hours(100));  // frees the trash of the first push
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
}

TEST_F(RaceTest, RepushWhileTheTrashIsPurged) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store.PushBlob("a", "other").has_value());
  collector->WorkAfter(hours(37));
  store.clock.Advance(hours(25));  // the trash is due
  ASSERT_TRUE(store.PushBlob("b", "layer").has_value());
  collector->Work();
  EXPECT_TRUE(HasBlob("b", "layer"));
  EXPECT_EQ(store.Files("blobs").size(), 1u);
  ExpectConsistent();
}

TEST_F(RaceTest, RepushAndPurgeAtTheSameTime) {
  for (int round = 0; round < 40; ++round) {
    const std::string layer = "layer " + std::to_string(round);
    ASSERT_TRUE(store.PushBlob("a", layer).has_value());
    collector->WorkAfter(hours(37));
    store.clock.Advance(hours(25));
    Together([&] { collector->Work(); },
             [&] { EXPECT_TRUE(store.PushBlob("a", layer).has_value()); });
    ASSERT_TRUE(HasBlob("a", layer)) << "round " << round;
    ASSERT_TRUE(store.PushManifest("a", "v" + std::to_string(round), ImageManifest({layer})));
  }
  ExpectConsistent();
}

TEST_F(RaceTest, RepushOfAManifestInTheTrash) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  const std::string digest = Sha256(ImageManifest({"config"})).ToString();
  ASSERT_TRUE(store.DeleteManifest("a", digest).has_value());
  ASSERT_TRUE(store.PushManifest("a", "v2", ImageManifest({"config"})).has_value());
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasManifest("a", "v2"));
  EXPECT_TRUE(HasBlob("a", "config"));
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

TEST_F(RaceTest, UntagWhileAnIndexIsPushed) {
  const std::string child = ImageManifest({"config"});
  ASSERT_TRUE(store.PushImage("a", "child", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "child").has_value());  // a candidate from now on
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.PushManifest("a", "index", IndexManifest({child})).has_value());
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  EXPECT_TRUE(HasManifest("a", Sha256(child).ToString()));
  // And back: the index goes, and its child is a candidate again.
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(IndexManifest({child})).ToString()).has_value());
  store.clock.Advance(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 1u);
  ExpectConsistent();
}

TEST_F(RaceTest, UntagAndSweepAtTheSameTime) {
  for (int round = 0; round < 40; ++round) {
    const std::string config = "config " + std::to_string(round);
    const std::string body = ImageManifest({config});
    ASSERT_TRUE(store.PushImage("a", "v1", {config}).has_value());
    ASSERT_TRUE(store.PushTagged("a", body, {"v2"}).has_value());
    ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());  // a candidate that has a tag
    store.clock.Advance(hours(37));
    Together([&] { static_cast<void>(collector->RunUntagged()); },
             [&] { EXPECT_TRUE(store.DeleteManifest("a", "v2").has_value()); });
    // The untagged manifest is still a candidate, or is gone: it never stays unnoticed.
    ASSERT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty()) << "round " << round;
    store.clock.Advance(hours(37));
    static_cast<void>(collector->RunUntagged());
    ASSERT_FALSE(HasManifest("a", Sha256(body).ToString())) << "round " << round;
  }
}

TEST_F(RaceTest, TwoCollectors) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  TestCollector other(store);
  store.clock.Advance(hours(37));
  EXPECT_TRUE(collector->Step()) << "it holds the lease";
  EXPECT_FALSE(other.Step()) << "the other one waits";
  EXPECT_FALSE(HasBlob("a", "layer"));
  EXPECT_EQ(CodeOf(other->StartRun({}, kAdministrator)), ErrorCode::kFailedPrecondition);

  // The first one stands still for longer than its lease. The other takes over, and ends its run.
  ASSERT_TRUE(store.PushBlob("a", "next").has_value());
  store.clock.Advance(hours(37));
  other.Work();
  EXPECT_FALSE(HasBlob("a", "next"));
  EXPECT_FALSE(collector->Step()) << "it has lost the lease";
  EXPECT_EQ(other.Runs().front().state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(other.Runs().front().failure(), "it was interrupted");
  ExpectConsistent();
}

TEST_F(RaceTest, ARunWhoseProcessEndedFailsAndCanBeUndone) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  }
  collector->Pause();
  collector->WorkAfter(hours(37));
  collector->Resume();
  const auto started = (*collector)->StartRun({}, kAdministrator);
  ASSERT_TRUE(started.has_value()) << started.error().message;
  ASSERT_TRUE(collector->Step());
  collector.reset();  // the process is killed after the first batch
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->Pause();
  collector->WorkAfter(seconds(31));
  const v1::RunRow failed = collector->LastRun();
  EXPECT_EQ(failed.id(), started->id());
  EXPECT_EQ(failed.state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(failed.removed().links() + CountRows(store, keys::kLinks), 100u)
      << "the counts are those of the last batch";
  const v1::RunRow undone = collector->Undo(failed.id());
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().links(), failed.removed().links());
  EXPECT_EQ(CountRows(store, keys::kLinks), 100u);
  ExpectConsistent();
}

TEST_F(RaceTest, AnUndoWhoseProcessEndedContinues) {
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  }
  collector->WorkAfter(hours(37));
  ASSERT_EQ(CountRows(store, keys::kLinks), 0u);
  v1::UndoRunRequest request;
  request.set_id(collector->LastRun().id());
  ASSERT_TRUE((*collector)->UndoRun(request, kAdministrator).has_value());
  ASSERT_TRUE(collector->Step());
  collector.reset();
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->WorkAfter(seconds(31));
  EXPECT_EQ(CountRows(store, keys::kLinks), 200u);
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(collector->LastRun().restored().links(), 200u);
  EXPECT_EQ(collector->LastRun().undone_by(), "root");
  ExpectConsistent();
}

TEST_F(RaceTest, UndoWhilePushing) {
  for (int round = 0; round < 20; ++round) {
    const std::string tag = "v" + std::to_string(round);
    const std::string layer = "layer " + std::to_string(round);
    ASSERT_TRUE(store.PushImage("a", tag, {layer}).has_value());
    ASSERT_TRUE(store.DeleteManifest("a", tag).has_value());
    store.clock.Advance(hours(37));
    const v1::RunRow run = collector->RunUntagged();
    ASSERT_EQ(run.removed().manifests(), 1u);
    collector->WorkAfter(minutes(1));
    Together([&] { static_cast<void>(collector->Undo(run.id())); },
             [&] { EXPECT_TRUE(store.PushImage("a", tag, {layer}).has_value()); });
    ASSERT_TRUE(HasManifest("a", tag));
    ASSERT_TRUE(HasBlob("a", layer));
    ASSERT_THAT(ProblemsOfIndexes(*store.meta), testing::IsEmpty()) << "round " << round;
  }
  ExpectConsistent();
}

}  // namespace
}  // namespace outport::store
