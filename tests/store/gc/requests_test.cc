#include "registry/records/rows.h"
#include "store/content/trash.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::HasSubstr;

class RequestsTest : public CollectorTest {};

TEST_F(RequestsTest, APausedCollectorRemovesNothingAndSaysWho) {
  v1::PauseCollectorRequest request;
  request.set_why("maintenance");
  const auto paused = (*collector)->Pause(request, kAdministrator);
  ASSERT_TRUE(paused.has_value());
  EXPECT_TRUE(paused->paused());
  EXPECT_EQ(paused->paused_by(), "root");
  EXPECT_EQ(paused->paused_why(), "maintenance");
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  EXPECT_TRUE(HasBlob("a", "layer"));
  const auto run = (*collector)->StartRun({}, kAdministrator);
  ASSERT_FALSE(run.has_value());
  EXPECT_THAT(run.error().message, HasSubstr("paused"));
  const auto resumed = (*collector)->Resume({}, kAdministrator);
  ASSERT_TRUE(resumed.has_value());
  EXPECT_FALSE(resumed->paused());
  EXPECT_EQ(resumed->paused_by(), "");
  collector->WorkAfter(minutes(1));
  EXPECT_FALSE(HasBlob("a", "layer"));
}

// The lock of the data folder proves that the killed process does not collect any more.
TEST_F(RequestsTest, AStoreThatWasKilledCollectsAgainAtOnce) {
  collector->Work();  // acquires the lease
  collector.reset();
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  static_cast<void>(collector->Step());
  const auto run = (*collector)->StartRun({}, kAdministrator);
  EXPECT_TRUE(run.has_value()) << run.error().message;
}

// The fresh blob would be due by the wall clock, and the other one is due by the store clock, too.
TEST_F(RequestsTest, AClockThatJumpedPausesTheCollectorUntilAnAdministratorAcceptsIt) {
  ASSERT_TRUE(store.PushBlob("a", "due").has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(store.PushBlob("a", "fresh").has_value());
  ASSERT_TRUE(StoreClock(store.clock, "an earlier boot").Save(*store.meta).has_value());
  store.clock.StepWall(hours(37));
  ASSERT_TRUE(store.store_clock.Load(*store.meta).has_value());
  ASSERT_TRUE(store.store_clock.Jump().has_value());
  collector->WorkAfter(hours(2));  // more than one lease
  EXPECT_TRUE(HasBlob("a", "due"));
  EXPECT_TRUE(HasBlob("a", "fresh"));
  EXPECT_EQ(CodeOf((*collector)->StartRun({}, kAdministrator)), ErrorCode::kFailedPrecondition);
  EXPECT_GT((*collector)->Get()->clock_jump_ms(), 36 * 3'600'000);
  v1::ResumeCollectorRequest request;
  const auto refused = (*collector)->Resume(request, kAdministrator);
  ASSERT_EQ(CodeOf(refused), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(refused.error().message, HasSubstr("when the machine started"));
  collector->WorkAfter(minutes(1));
  EXPECT_TRUE(HasBlob("a", "due"));
  request.set_accept_clock(true);
  ASSERT_TRUE((*collector)->Resume(request, kAdministrator).has_value());
  collector->WorkAfter(minutes(58));
  EXPECT_TRUE(HasBlob("a", "due")) << "leases from before the step have their full time";
  EXPECT_TRUE(HasBlob("a", "fresh"));
  collector->WorkAfter(minutes(3));
  EXPECT_FALSE(HasBlob("a", "due"));
  EXPECT_FALSE(HasBlob("a", "fresh"));
  EXPECT_EQ((*collector)->Get()->clock_jump_ms(), 0);
}

TEST_F(RequestsTest, AResumeWithoutAPauseChangesNothing) {
  const uint64_t entries = store.meta->AuditHead()->sequence;
  v1::ResumeCollectorRequest request;
  for (const bool accept : {false, true}) {
    request.set_accept_clock(accept);
    const auto resumed = (*collector)->Resume(request, kAdministrator);
    ASSERT_TRUE(resumed.has_value()) << resumed.error().message;
    EXPECT_FALSE(resumed->paused());
    EXPECT_EQ(store.meta->AuditHead()->sequence, entries);
  }
  collector->Pause();
  ASSERT_TRUE((*collector)->Resume(request, kAdministrator).has_value());
  EXPECT_EQ(store.meta->AuditHead()->sequence, entries + 2);
}

TEST_F(RequestsTest, APauseHaltsARunInProgress) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  collector->Pause();
  collector->WorkAfter(hours(37));
  collector->Resume();
  ASSERT_TRUE((*collector)->StartRun({}, kAdministrator).has_value());
  ASSERT_TRUE(collector->Step());
  collector->Pause();
  collector->Work();
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_RUNNING);
  EXPECT_GT(CountRows(store, keys::kLinks), 0u);
  collector->Resume();
  collector->Work();
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(CountRows(store, keys::kLinks), 0u);
}

TEST_F(RequestsTest, OneRunAtATime) {
  static_cast<void>(collector->Step());
  const auto first = (*collector)->StartRun({}, kAdministrator);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ((*collector)->Get()->running(), first->id());
  const auto second = (*collector)->StartRun({}, kAdministrator);
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(second.error().message, HasSubstr(first->id()));
  collector->Work();
  EXPECT_EQ((*collector)->Get()->running(), "");
  EXPECT_TRUE((*collector)->StartRun({}, kAdministrator).has_value());
}

TEST_F(RequestsTest, RunsAreListedFromTheNewestToTheOldest) {
  std::vector<std::string> ids;
  ids.reserve(5);
  for (int i = 0; i < 5; ++i) ids.push_back(collector->Run({}).id());
  v1::ListRunsRequest request;
  request.set_limit(2);
  std::vector<std::string> listed;
  for (;;) {
    const auto page = (*collector)->ListRuns(request);
    ASSERT_TRUE(page.has_value());
    EXPECT_LE(page->runs_size(), 2);
    for (const v1::RunRow& run : page->runs()) listed.push_back(run.id());
    if (page->next().empty()) break;
    request.set_before(page->next());
  }
  EXPECT_THAT(listed, testing::ElementsAreArray(ids.rbegin(), ids.rend()));
}

TEST_F(RequestsTest, UnknownRuns) {
  v1::GetRunRequest get;
  get.set_id("nonsense");
  EXPECT_EQ(CodeOf((*collector)->GetRun(get)), ErrorCode::kInvalidArgument);
  get.set_id("000001a0c5a5c000-00000001");
  EXPECT_EQ(CodeOf((*collector)->GetRun(get)), ErrorCode::kNotFound);
}

TEST_F(RequestsTest, TheRunOfClientsCountsWhatTheyDeleted) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  const std::string digest = Sha256(ImageManifest({"config"})).ToString();
  ASSERT_TRUE(store.DeleteManifest("a", digest).has_value());
  ASSERT_TRUE(store.DeleteBlob("a", "layer").has_value());
  collector->WorkAfter(hours(2));
  const auto runs = (*collector)->ListRuns({});
  ASSERT_EQ(runs->runs_size(), 1);
  EXPECT_EQ(runs->runs(0).kind(), v1::RUN_KIND_CLIENTS);
  EXPECT_EQ(runs->runs(0).removed().manifests(), 1u);
  EXPECT_EQ(runs->runs(0).removed().tags(), 1u);
  EXPECT_EQ(runs->runs(0).removed().blobs(), 1u);
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 5u);
  collector->WorkAfter(hours(25 + 36));  // frees the manifest, and removes its blob
  collector->WorkAfter(hours(25));
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 0u);
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

TEST_F(RequestsTest, TheRunOfClientsIsOpenWhileItsHourLasts) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store.PushBlob("a", "other").has_value());
  ASSERT_TRUE(store.DeleteBlob("a", "layer").has_value());
  const auto run = [&] { return (*collector)->ListRuns({})->runs(0); };
  EXPECT_EQ(run().state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(run().removed().links(), 1u);
  EXPECT_EQ(run().removed().blob_bytes(), 5u);
  ASSERT_TRUE(store.DeleteBlob("a", "other").has_value());
  EXPECT_EQ(run().removed().links(), 2u);
  v1::GetRunRequest get;
  get.set_id(run().id());
  EXPECT_EQ((*collector)->GetRun(get)->state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ((*collector)->GetRun(get)->removed().blobs(), 2u);
  store.clock.Advance(hours(1));
  EXPECT_EQ(run().state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(run().removed().links(), 2u) << "also before the next step counts them";
  collector->WorkAfter(minutes(1));
  EXPECT_EQ(run().state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(run().removed().links(), 2u);
}

TEST_F(RequestsTest, ALateDeletionOpensTheRunOfItsHourAgain) {
  const int64_t began_ms = store.store_clock.NowMs();
  std::string run;
  const auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(run, RunOfClients(transaction, began_ms));
    v1::TrashRow row;
    row.mutable_tag()->set_repository("a");
    row.mutable_tag()->set_tag("v1");
    return WriteRow(transaction, keys::Trash(run, trash_kind::kTag, "a", "v1"), row);
  };
  const auto state = [&] {
    v1::GetRunRequest get;
    get.set_id(run);
    return (*collector)->GetRun(get)->state();
  };
  ASSERT_TRUE(Transact(*store.meta, remove).has_value());
  collector->WorkAfter(hours(1 + 24 + 36) + minutes(11));  // hour, trash window, grace period
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  EXPECT_EQ(state(), v1::RUN_STATE_FREED);
  const std::string first = run;
  ASSERT_TRUE(Transact(*store.meta, remove).has_value());
  EXPECT_EQ(run, first);
  EXPECT_EQ(state(), v1::RUN_STATE_DONE);
  collector->WorkAfter(minutes(1));
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  EXPECT_EQ(state(), v1::RUN_STATE_FREED);
}

TEST_F(RequestsTest, TheRunOfClientsWaitsForLateDeletions) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store.DeleteBlob("a", "layer").has_value());
  const v1::RunRow run = (*collector)->ListRuns({})->runs(0);
  const auto state = [&] { return (*collector)->ListRuns({})->runs(0).state(); };
  const int64_t left_ms = run.ended_ms() - store.store_clock.NowMs();
  collector->WorkAfter(milliseconds(left_ms) + hours(24) + minutes(1));
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  EXPECT_EQ(state(), v1::RUN_STATE_DONE);
  collector->WorkAfter(minutes(10));
  EXPECT_EQ(state(), v1::RUN_STATE_FREED);
}

TEST_F(RequestsTest, TheStatusTellsTheTimes) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  const auto state = (*collector)->Get();
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->grace_ms(), 36 * 3'600'000);
  EXPECT_EQ(state->lease_ms(), 3'600'000);
  EXPECT_EQ(state->trash_ms(), 24 * 3'600'000);
  EXPECT_EQ(state->condemned(), 1u);
  EXPECT_EQ(state->overdue(), 0u);
  EXPECT_EQ(state->oldest_due_ms(), 0) << "none is due";
  EXPECT_TRUE(state->in_window());
}

}  // namespace
}  // namespace outport::store
