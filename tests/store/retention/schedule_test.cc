#include "store/retention/schedule.h"

#include <array>
#include <ctime>
#include <string>

#include "registry/records/rows.h"
#include "store/retention/policy_file.h"
#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// As kLastOne, but only while nobody pulls the tags.
constexpr const char* kUnpulled =
    "policies:\n"
    "  - name: ci\n"
    "    repositories: [\"ci/*\"]\n"
    "    keep:\n"
    "      - {tags: \".*\", pulled_within: 1d}\n";

class ScheduleTest : public RetentionTest {
 protected:
  // Applies the policies with a schedule that is due after this time.
  void ApplyDue(const std::string& policies, minutes in = minutes(10)) {
    const std::time_t time = std::chrono::system_clock::to_time_t(store.clock.Wall() + in);
    std::tm local{};
    ::localtime_r(&time, &local);
    std::array<char, 8> text{};
    ASSERT_GT(std::strftime(text.data(), text.size(), "%H:%M", &local), 0u);
    Apply(policies + "schedule: \"" + text.data() + "\"\n");
    retention_.RunIfDue();
  }
  void LookAfter(minutes time) {
    store.clock.Advance(time);
    static_cast<void>(collector->Step());  // renews the lease
    retention_.RunIfDue();
    collector->Work();
  }
  // Looks once while a pause keeps the run from starting.
  void LookInPause(minutes time) {
    collector->Pause();
    LookAfter(time);
    EXPECT_THAT(retention_.Warnings(), ElementsAre(HasSubstr("the collector is paused")));
    collector->Resume();
  }
  size_t Runs() { return collector->Runs().size(); }
  v1::RetentionScheduleRow Row() {
    return ReadRow<v1::RetentionScheduleRow>(*store.meta, keys::kRetentionSchedule)
        ->value_or(v1::RetentionScheduleRow());
  }
};

TEST_F(ScheduleTest, ARunThatCannotStartIsAWarningUntilOneStarts) {
  Push("ci/app", {"1", "2"});
  store.clock.Advance(hours(48));
  missing_ = {"eu-west"};
  ApplyDue(kUnpulled);
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
  LookAfter(minutes(11));
  EXPECT_THAT(retention_.Warnings(), ElementsAre(HasSubstr("eu-west has not reported")));
  EXPECT_THAT(Row().failure(), HasSubstr("eu-west"));
  LookAfter(hours(7));
  EXPECT_THAT(retention_.Warnings(), ElementsAre(HasSubstr("eu-west has not reported")))
      << "also when nobody tries any more";
  missing_.clear();
  LookAfter(hours(1));
  EXPECT_EQ(Runs(), 0u);
  LookAfter(hours(16));
  EXPECT_EQ(Runs(), 1u) << "the next day";
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
  EXPECT_EQ(Row().failure(), "");
}

TEST_F(ScheduleTest, ARestartNeitherForgetsTheFailureNorRepeatsTheRun) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  collector->Pause();
  LookAfter(minutes(11));
  Retention second(MakeParts());
  second.RunIfDue();
  EXPECT_THAT(second.Warnings(), ElementsAre(HasSubstr("the collector is paused")));
  collector->Resume();
  store.clock.Advance(minutes(11));
  static_cast<void>(collector->Step());
  second.RunIfDue();
  collector->Work();
  EXPECT_EQ(Runs(), 1u);
  Retention third(MakeParts());
  third.RunIfDue();
  collector->Work();
  EXPECT_EQ(Runs(), 1u);
  EXPECT_THAT(third.Warnings(), IsEmpty());
}

TEST_F(ScheduleTest, OnlyTheProcessThatCollectsRunsTheSchedule) {
  Push("ci/app", {"1", "2"});
  static_cast<void>(collector->Step());
  TestCollector others(store);
  Retention::Parts parts{.meta = *store.meta,
                         .clock = store.clock,
                         .store_clock = store.store_clock,
                         .times = store.times,
                         .collector = *others,
                         .log = Log::Nowhere()};
  Retention other(std::move(parts));
  ApplyDue(kLastOne);
  store.clock.Advance(minutes(11));
  static_cast<void>(collector->Step());
  static_cast<void>(others->Step());
  other.RunIfDue();
  EXPECT_EQ(Runs(), 0u);
  const int64_t seen_ms = Row().due_ms();
  EXPECT_THAT(other.Warnings(), IsEmpty());
  retention_.RunIfDue();
  collector->Work();
  EXPECT_EQ(Runs(), 1u);
  EXPECT_GT(Row().due_ms(), seen_ms);
  (*collector)->Stop();
  others.Work();
  ASSERT_TRUE(others->HoldsLease());
  other.RunIfDue();
  others.Work();
  EXPECT_EQ(Runs(), 1u) << "the day does not run twice";
  store.clock.Advance(hours(24));
  others.Work();
  other.RunIfDue();
  others.Work();
  EXPECT_EQ(Runs(), 2u);
}

TEST_F(ScheduleTest, AMissedTimeIsAWarningAlsoTheFirstOne) {
  ApplyDue(kLastOne);
  LookAfter(hours(7));
  EXPECT_EQ(Runs(), 0u);
  EXPECT_THAT(
      retention_.Warnings(),
      ElementsAre(HasSubstr("was not started within 6 h; 'outportctl retention run' starts one")));
  Apply(kLastOne);
  retention_.RunIfDue();
  EXPECT_THAT(retention_.Warnings(), IsEmpty()) << "there is no schedule any more";
}

TEST_F(ScheduleTest, WhatARunLeavesOutIsAWarning) {
  RetentionSchedule::Started next{
      .run = {}, .cut = true, .too_large = {"a", "b", "c", "d", "e", "f"}};
  RetentionSchedule schedule(
      {.meta = *store.meta,
       .clock = store.clock,
       .collector = **collector,
       .log = Log::Nowhere(),
       .start = [&](const RetentionSchedule::Begin& begin) -> Result<RetentionSchedule::Started> {
         TRY_VOID(Transact(*store.meta,
                           [&](MetaTransaction& transaction) { return begin(transaction, next); }));
         return next;
       }});
  const auto look = [&] {
    static_cast<void>(collector->Step());
    const std::time_t time = std::chrono::system_clock::to_time_t(store.clock.Wall());
    std::tm local{};
    ::localtime_r(&time, &local);
    schedule.RunIfDue(local.tm_hour * 60 + local.tm_min);
  };
  look();  // from here on the times are due
  EXPECT_THAT(schedule.Warnings(), IsEmpty());
  store.clock.Advance(hours(24));
  look();
  EXPECT_THAT(schedule.Warnings(), ElementsAre(HasSubstr("too large and deletes only a part"),
                                               HasSubstr("too large: a, b, c, d, e and 1 more")));
  EXPECT_EQ(Row().failure(), "");
  EXPECT_THAT(Row().warnings(), SizeIs(2));
  ApplyDue(kLastOne, minutes(0));
  EXPECT_THAT(retention_.Warnings(), SizeIs(2)) << "the row keeps them over a restart";
  next = {};
  store.clock.Advance(hours(24));
  look();
  EXPECT_THAT(schedule.Warnings(), IsEmpty());
}

TEST_F(ScheduleTest, TheRowOfAnEarlierReleaseKeepsItsWarnings) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  LookAfter(minutes(11));
  ASSERT_EQ(Runs(), 1u);
  v1::RetentionScheduleRow row = Row();
  row.set_failure("started\nthe run was too large\nthe run left out a");
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return WriteRow(transaction, keys::kRetentionSchedule, row);
              }).has_value());
  Push("ci/app", {"3"});
  LookAfter(minutes(11));
  EXPECT_THAT(retention_.Warnings(), ElementsAre("the run was too large", "the run left out a"));
  EXPECT_EQ(Runs(), 1u) << "it says that the run has started";
}

// A kill, or a failure, after the transaction that begins the run.
TEST_F(ScheduleTest, ARunThatHasBegunDoesNotStartAgain) {
  int starts = 0;
  const auto start = [&](const RetentionSchedule::Begin& begin) {
    ++starts;
    EXPECT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                  return begin(transaction, {});
                }).has_value());
    return Result<RetentionSchedule::Started>(Error{ErrorCode::kInternal, "killed"});
  };
  ApplyDue(kLastOne);
  RetentionSchedule schedule({.meta = *store.meta,
                              .clock = store.clock,
                              .collector = **collector,
                              .log = Log::Nowhere(),
                              .start = start});
  store.clock.Advance(minutes(11));
  static_cast<void>(collector->Step());
  const int minute = MinuteOfSchedule(retention_.Get()->policies().schedule());
  schedule.RunIfDue(minute);
  EXPECT_EQ(starts, 1);
  LookAfter(minutes(11));
  schedule.RunIfDue(minute);
  EXPECT_EQ(starts, 1);
  EXPECT_EQ(Runs(), 0u) << "nor does another process start it";
}

TEST_F(ScheduleTest, AStoreClockAheadOfTheWallClockSkipsNoTime) {
  Push("ci/app", {"1", "2"});
  store.clock.StepWall(-hours(5));
  ApplyDue(kLastOne);
  LookAfter(minutes(11));
  EXPECT_EQ(Runs(), 1u);
}

TEST_F(ScheduleTest, AStoreClockBehindTheWallClockStartsNoTimeOfThePast) {
  Push("ci/app", {"1", "2"});
  store.clock.StepWall(minutes(50));
  ApplyDue(kLastOne, minutes(-30));
  LookAfter(minutes(1));
  EXPECT_EQ(Runs(), 0u);
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
}

TEST_F(ScheduleTest, AWallClockThatGoesBackDelaysNoNextTry) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  LookInPause(hours(4));
  store.clock.StepWall(-hours(2));
  LookAfter(minutes(11));
  EXPECT_EQ(Runs(), 1u);
}

TEST_F(ScheduleTest, ARowOfTheFutureSkipsNoDay) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  LookAfter(minutes(11));
  EXPECT_EQ(Runs(), 1u);
  store.clock.StepWall(-hours(10));
  LookAfter(minutes(1));
  EXPECT_EQ(Runs(), 1u);
  LookAfter(hours(10));
  EXPECT_EQ(Runs(), 2u);
}

TEST_F(ScheduleTest, AnotherTimeOfTheSameDayWaitsForNoNextTry) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  LookInPause(minutes(11));
  ApplyDue(kLastOne, minutes(5));
  EXPECT_THAT(retention_.Warnings(), IsEmpty()) << "the earlier time does not matter any more";
  LookAfter(minutes(6));
  EXPECT_EQ(Runs(), 1u);
}

TEST_F(ScheduleTest, ARunByHandEndsTheWarnings) {
  Push("ci/app", {"1", "2"});
  ApplyDue(kLastOne);
  LookInPause(minutes(11));
  ASSERT_TRUE(retention_.StartRun({}, kAdministrator).has_value());
  collector->Work();
  LookAfter(minutes(11));
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
  EXPECT_EQ(Runs(), 1u) << "the run stands for the scheduled one";
  store.clock.Advance(hours(24));
  LookAfter(hours(7));
  ASSERT_THAT(retention_.Warnings(), ElementsAre(HasSubstr("was not started within 6 h")));
  ASSERT_TRUE(retention_.StartRun({}, kAdministrator).has_value());
  collector->Work();
  LookAfter(minutes(1));
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
}

TEST_F(ScheduleTest, PoliciesThatCannotBeReadAreAWarning) {
  v1::RetentionRow row;
  row.set_yaml("nonsense: 1\n");
  const auto write = [&](MetaTransaction& transaction) {
    return WriteRow(transaction, keys::kRetention, row);
  };
  ASSERT_TRUE(Transact(*store.meta, write).has_value());
  retention_.RunIfDue();
  EXPECT_THAT(retention_.Warnings(), ElementsAre(HasSubstr("the policies cannot be read")));
  // An earlier release accepted this time.
  row.set_yaml(std::string(kUnpulled).replace(std::string(kUnpulled).find("1d"), 2, "30m"));
  ASSERT_TRUE(Transact(*store.meta, write).has_value());
  retention_.RunIfDue();
  EXPECT_THAT(retention_.Warnings(), IsEmpty());
  EXPECT_TRUE(retention_.GetPlan({}).has_value());
}

}  // namespace
}  // namespace outport::store
