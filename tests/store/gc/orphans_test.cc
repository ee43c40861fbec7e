#include "registry/records/rows.h"
#include "store/gc/candidates.h"
#include "store/gc/orphan_sweep.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::SizeIs;

constexpr size_t kReferrers = OrphanSweep::kBatch + 20;

// An image with more referrers than one transaction makes candidates of. The referrers were pushed
// by digest, and the collector has seen that their subject is there.
class OrphansTest : public CollectorTest {
 protected:
  OrphansTest() {
    EXPECT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
    for (size_t i = 0; i < kReferrers; ++i) PushReferrer(std::to_string(i));
    collector->WorkAfter(hours(37));
    static_cast<void>(collector->RunUntagged());
    EXPECT_EQ(Candidates(), 0u);
  }
  void PushReferrer(const std::string& name) {
    const std::string extra =
        SubjectJson(Sha256(image_)) + R"(,"annotations":{"n":")" + name + "\"}";
    EXPECT_TRUE(store.PushTagged("a", ImageManifest({"config"}, extra), {}).has_value());
  }
  void DeleteSubject() {
    const auto deleted = store.DeleteManifest("a", Sha256(image_).ToString());
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  }
  void Corrupt(const std::string& key) {
    const auto transaction = store.meta->Begin();
    ASSERT_TRUE(transaction->Put(key, "\xff").has_value());
    ASSERT_TRUE(transaction->Commit().has_value());
  }
  size_t Candidates() { return CountRows(store, keys::kUntagged); }
  bool Waits() { return CountRows(store, keys::kOrphaned) > 0; }

  const std::string image_ = ImageManifest({"config"});
};

// A row that the disk has damaged stops neither runs nor undos.
TEST_F(OrphansTest, ACorruptRowHoldsUpNothingElse) {
  ASSERT_TRUE(store.PushImage("b", "v1", {"other"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "v1").has_value());
  Corrupt(keys::Orphaned(Repo("a"), Sha256("gone")));
  store.clock.Advance(hours(37));
  const v1::RunRow run = collector->RunUntagged();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(run.removed().manifests(), 1u);
  EXPECT_EQ(collector->Undo(run.id()).state(), v1::RUN_STATE_UNDONE);
  EXPECT_TRUE(HasManifest("b", Sha256(ImageManifest({"other"})).ToString()));
  EXPECT_TRUE(Waits()) << "the row stays for the administrator";
}

TEST_F(OrphansTest, CorruptRowsHoldUpNoOtherReferrers) {
  constexpr size_t kCorrupt = OrphanSweep::kRows + 1;
  for (size_t i = 0; i < kCorrupt; ++i) {
    Corrupt(keys::Orphaned(Repo("0"), Sha256(std::to_string(i))));  // before all rows of "a"
  }
  Corrupt(keys::Untagged(Repo("0"), Sha256("candidate")));
  PushReferrer("with a corrupt row");
  const auto pushed = store.meta->Scan({.prefix = std::string(keys::kUntagged), .limit = 10});
  ASSERT_EQ(pushed->size(), 2u);
  Corrupt(pushed->back().key);
  DeleteSubject();
  collector->Work();
  EXPECT_EQ(Candidates(), 2 + kReferrers);
  EXPECT_EQ(CountRows(store, keys::kOrphaned), kCorrupt);
  collector->WorkAfter(hours(37));
  EXPECT_THAT((*collector)->Warnings(),
              testing::Contains(testing::HasSubstr("removed manifests: 17;")));
  EXPECT_EQ(collector->Plan(true).counts().manifests(), kReferrers);
  const v1::RunRow run = collector->RunUntagged();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.removed().manifests(), kReferrers);
  EXPECT_EQ(Candidates(), 2u) << "the corrupt ones";
  EXPECT_EQ(CountRows(store, keys::kOrphaned), kCorrupt);
}

// Keys of referrers that name no digest, and candidates whose own rows are corrupt.
TEST_F(OrphansTest, CorruptRowsOfReferrersHoldUpNothingElse) {
  const std::string other = ImageManifest({"other"});
  ASSERT_TRUE(store.PushImage("b", "v1", {"other"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "v1").has_value());
  collector->Pause();  // the referrers do not become candidates
  DeleteSubject();
  Corrupt(keys::ReferrersOf(Repo("a"), Sha256(image_)) + "no digest");
  collector->Resume();
  collector->WorkAfter(hours(37));
  EXPECT_TRUE(Waits());
  EXPECT_THAT((*collector)->Warnings(),
              testing::Contains(testing::HasSubstr("removed manifests: 1;")));
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_THAT(ItemsOf(plan), testing::Contains("manifest b@" + Sha256(other).ToString()));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), plan.counts().manifests());
  EXPECT_FALSE(HasManifest("b", Sha256(other).ToString()));
  ASSERT_TRUE(store.PushManifest("a", "v1", image_).has_value());
  collector->Work();
  EXPECT_FALSE(Waits()) << "what the log message asks for";
}

TEST_F(OrphansTest, ACorruptManifestHoldsUpNoPlanAndNoRun) {
  const std::string other = ImageManifest({"other"});
  for (const std::string repository : {"b", "c"}) {
    ASSERT_TRUE(store.PushImage(repository, "v1", {"other"}).has_value());
    ASSERT_TRUE(store.DeleteManifest(repository, "v1").has_value());
  }
  collector->WorkAfter(hours(37));
  const v1::GetPlanResponse before = collector->Plan(true);
  EXPECT_EQ(before.counts().manifests(), 2u);
  Corrupt(keys::ManifestOf(Repo("b"), Sha256(other)));
  EXPECT_THAT(ItemsOf(collector->Plan(true)),
              testing::ElementsAre("manifest c@" + Sha256(other).ToString()));
  const v1::RunRow run = collector->RunUntagged();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.removed().manifests(), 1u);
  EXPECT_EQ(Candidates(), 1u) << "the corrupt one stays";
}

// A run names the first corrupt rows, and counts the others.
TEST_F(OrphansTest, ARunLogsFewCorruptRows) {
  constexpr size_t kCorrupt = kMaxSkippedRows + 3;
  for (size_t i = 0; i < kCorrupt; ++i) {
    const Digest digest = Sha256("corrupt " + std::to_string(i));
    if (i % 2 == 0) {
      Corrupt(keys::Untagged(Repo("b"), digest));
    } else {
      v1::UntaggedRow candidate;
      candidate.set_since_ms(1);
      const auto put = [&](MetaTransaction& transaction) {
        return WriteRow(transaction, keys::Untagged(Repo("b"), digest), candidate);
      };
      ASSERT_TRUE(Transact(*store.meta, put).has_value());
      Corrupt(keys::ManifestOf(Repo("b"), digest));
    }
  }
  // The removal of this one begins a second pass, which counts no row again.
  ASSERT_TRUE(store.PushImage("c", "v1", {"other"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("c", "v1").has_value());
  collector->WorkAfter(hours(37));
  (*collector)->Stop();
  testing::internal::CaptureStderr();
  {
    TestCollector logging(store, {}, {.log = Log::ToStandardError(LogLevel::kWarning)});
    EXPECT_EQ(logging.RunUntagged().removed().manifests(), 1u);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  size_t lines = 0;
  const std::string message = "corrupt row skipped: content stays";
  for (size_t at = 0; (at = log.find(message, at)) != std::string::npos; ++at) ++lines;
  EXPECT_EQ(lines, kMaxSkippedRows) << log;
  EXPECT_THAT(log, testing::HasSubstr("more corrupt rows skipped"));
  EXPECT_THAT(log, testing::HasSubstr("\"count\":3"));
}

// An index of the plan lists a manifest whose row is corrupt.
TEST_F(OrphansTest, ACorruptChildHoldsUpNoPlan) {
  const std::string child = ImageManifest({"other"});
  const std::string index = IndexManifest({child});
  ASSERT_TRUE(store.PushImage("b", "child", {"other"}).has_value());
  ASSERT_TRUE(store.PushManifest("b", "index", index).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "index").has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "child").has_value());
  collector->WorkAfter(hours(37));
  Corrupt(keys::ManifestOf(Repo("b"), Sha256(child)));
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_THAT(ItemsOf(plan), testing::ElementsAre("manifest b@" + Sha256(index).ToString()));
  EXPECT_TRUE(plan.freed_is_minimum());
}

// Nobody knows when the grace period of the candidates began.
TEST_F(OrphansTest, CandidatesWhoseRemovedSubjectHasACorruptRowStay) {
  DeleteSubject();
  ASSERT_TRUE(collector->Step());
  ASSERT_EQ(Candidates(), OrphanSweep::kBatch);
  Corrupt(keys::Orphaned(Repo("a"), Sha256(image_)));
  collector->WorkAfter(hours(37));
  EXPECT_EQ(Candidates(), OrphanSweep::kBatch);
  EXPECT_EQ(collector->Plan(true).counts().manifests(), 0u);
  const v1::RunRow run = collector->RunUntagged();
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.removed().manifests(), 0u);
  // What the log message asks for.
  ASSERT_TRUE(store.PushManifest("a", "v1", image_).has_value());
  collector->Work();
  EXPECT_FALSE(Waits());
  DeleteSubject();
  collector->Work();
  EXPECT_EQ(Candidates(), kReferrers);
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), kReferrers);
}

// A client that removes manifests with many referrers again and again.
TEST_F(OrphansTest, AnUndoDoesNotWaitForRowsThatNeverEnd) {
  ASSERT_TRUE(store.PushImage("b", "v1", {"other"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "v1").has_value());
  store.clock.Advance(hours(37));
  v1::UndoRunRequest undo;
  undo.set_id(collector->RunUntagged().id());
  ASSERT_TRUE((*collector)->UndoRun(undo, kAdministrator).has_value());
  v1::OrphanedRow row;
  row.set_since_ms(1);
  int steps = 0;
  for (; steps < 200 && !(*collector)->Get()->running().empty(); ++steps) {
    const std::string key = keys::Orphaned(Repo("a"), Sha256("gone"));
    const auto put = [&](MetaTransaction& transaction) { return WriteRow(transaction, key, row); };
    ASSERT_TRUE(Transact(*store.meta, put).has_value());
    ASSERT_TRUE(collector->Step());
  }
  EXPECT_LT(steps, 200);
  EXPECT_TRUE(HasManifest("b", Sha256(ImageManifest({"other"})).ToString()));
}

TEST_F(OrphansTest, TheCollectorMakesCandidatesInSteps) {
  DeleteSubject();
  EXPECT_EQ(Candidates(), 0u) << "the removal itself is small";
  EXPECT_TRUE(Waits());
  ExpectConsistent();
  ASSERT_TRUE(collector->Step());
  EXPECT_EQ(Candidates(), OrphanSweep::kBatch);
  collector.reset();  // the process ends
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->WorkAfter(std::chrono::seconds(31));
  EXPECT_EQ(Candidates(), kReferrers);
  EXPECT_FALSE(Waits());
  ExpectConsistent();
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), kReferrers);
  EXPECT_EQ(Candidates(), 0u);
  ExpectConsistent();
}

TEST_F(OrphansTest, ASubjectThatWasPushedAgainMakesNoCandidates) {
  DeleteSubject();
  ASSERT_TRUE(collector->Step());
  ASSERT_TRUE(store.PushManifest("a", "v1", image_).has_value());
  collector->Work();
  EXPECT_EQ(Candidates(), OrphanSweep::kBatch)
      << "those of the first step; the collector looks again";
  EXPECT_FALSE(Waits());
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u);
  EXPECT_EQ(Candidates(), 0u);
  ExpectConsistent();
}

TEST_F(OrphansTest, ASecondRemovalBeginsAtTheFirstReferrerAgain) {
  DeleteSubject();
  ASSERT_TRUE(collector->Step());
  ASSERT_TRUE(store.PushManifest("a", "v1", image_).has_value());
  DeleteSubject();
  const auto row = ReadRow<v1::OrphanedRow>(*store.meta, keys::Orphaned(Repo("a"), Sha256(image_)));
  ASSERT_TRUE(row->has_value());
  EXPECT_EQ((*row)->after(), "");
  collector->Work();
  EXPECT_EQ(Candidates(), kReferrers);
}

TEST_F(OrphansTest, APlanHasTheReferrersThatAreNoCandidatesYet) {
  collector->Pause();
  DeleteSubject();
  EXPECT_EQ((*collector)->Get()->orphaned(), 1u);
  EXPECT_EQ(collector->Plan(true).counts().manifests(), 0u) << "the grace period has just begun";
  collector->WorkAfter(hours(37));
  EXPECT_EQ(Candidates(), 0u) << "a paused collector does nothing";
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_EQ(plan.counts().manifests(), kReferrers);
  collector->Resume();
  v1::StartRunRequest request;
  request.set_plan(plan.plan());
  const v1::RunRow run = collector->Run(request);
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.removed().manifests(), kReferrers) << "the run waits for the candidates";
  EXPECT_EQ((*collector)->Get()->orphaned(), 0u);
  ExpectConsistent();
}

TEST_F(OrphansTest, TheGracePeriodOfAnOldCandidateBeginsWithTheRemovalOfItsSubject) {
  PushReferrer("new");
  store.clock.Advance(hours(100));
  ASSERT_EQ(Candidates(), 1u);
  collector->Pause();
  DeleteSubject();
  EXPECT_EQ(collector->Plan(true).counts().manifests(), 0u);
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->Plan(true).counts().manifests(), kReferrers + 1) << "each of them once";
}

TEST_F(OrphansTest, ALaterTimeOfACandidateStays) {
  PushReferrer("new");
  collector->Pause();
  DeleteSubject();
  store.clock.Advance(hours(10));
  const std::string extra = SubjectJson(Sha256(image_)) + R"(,"annotations":{"n":"new"})";
  const std::string referrer = ImageManifest({"config"}, extra);
  ASSERT_TRUE(store.PushTagged("a", referrer, {"tag"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "tag").has_value());
  const int64_t untagged_ms = store.store_clock.NowMs();
  store.clock.Advance(hours(1));
  collector->Resume();
  collector->Work();
  EXPECT_EQ(Candidates(), kReferrers + 1);
  const auto row =
      ReadRow<v1::UntaggedRow>(*store.meta, keys::Untagged(Repo("a"), Sha256(referrer)));
  EXPECT_EQ((*row)->since_ms(), untagged_ms);
}

TEST_F(OrphansTest, WithoutTheLeaseNothingChanges) {
  DeleteSubject();
  const WorkLease lost(*store.meta, store.store_clock, "gc", "another process");
  const CollectorParts parts{.meta = *store.meta,
                             .bytes = *store.bytes,
                             .clock = store.clock,
                             .store_clock = store.store_clock,
                             .owner = *store.owner,
                             .times = store.times,
                             .lease = lost,
                             .log = Log::Nowhere()};
  EXPECT_EQ(CodeOf(OrphanSweep(parts).Step()), ErrorCode::kFailedPrecondition);
  EXPECT_EQ(Candidates(), 0u);
  EXPECT_TRUE(Waits());
}

TEST_F(OrphansTest, AScanOfOneRepositoryHasOnlyItsReferrers) {
  collector->Pause();
  DeleteSubject();
  ASSERT_TRUE(store.PushTagged("a", image_, {}).has_value());  // keeps the referrers
  ASSERT_TRUE(store.PushImage("b", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("b", "v1").has_value());
  std::vector<ContentKey> visited;
  const auto visit = [&](const ContentKey& content, const v1::UntaggedRow&) -> Result<bool> {
    visited.push_back(content);
    return true;
  };
  ASSERT_TRUE(ForEachCandidate({.view = *store.meta, .repository = Repo("a")}, visit).has_value());
  EXPECT_THAT(visited, SizeIs(1)) << "the image itself";
  DeleteSubject();
  visited.clear();
  ASSERT_TRUE(ForEachCandidate({.view = *store.meta, .repository = Repo("a")}, visit).has_value());
  EXPECT_THAT(visited, SizeIs(kReferrers));
  visited.clear();
  ASSERT_TRUE(ForEachCandidate({.view = *store.meta, .repository = Repo("b")}, visit).has_value());
  EXPECT_THAT(visited, SizeIs(1));
}

}  // namespace
}  // namespace outport::store
