#include <ctime>
#include <string>
#include <vector>

#include "store/gc/queue_status.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::system_clock;

system_clock::time_point LocalTime(int hour, int minute) {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 5;
  time.tm_mday = 15;
  time.tm_hour = hour;
  time.tm_min = minute;
  time.tm_isdst = -1;
  return system_clock::from_time_t(std::mktime(&time));
}

milliseconds After(const std::string& window, int hour, int minute) {
  return OverdueAfter(*DailyWindow::Parse(window), LocalTime(hour, minute));
}

TEST(OverdueAfterTest, IsAnHourOfTheWindow) {
  EXPECT_EQ(After("", 12, 0), hours(1));
  EXPECT_EQ(After("01:00-05:00", 2, 30), hours(1));
  EXPECT_EQ(After("01:00-05:00", 5, 0), hours(1));
  EXPECT_EQ(After("01:00-05:00", 12, 0), hours(8)) << "since 04:00";
  EXPECT_EQ(After("01:00-05:00", 1, 30), hours(21)) << "since 04:30 of the day before";
  EXPECT_EQ(After("22:00-04:00", 3, 59), hours(1));
  EXPECT_EQ(After("22:00-04:00", 21, 0), hours(18));
}

TEST(OverdueAfterTest, IsNeverLongerThanADayAndAnHour) {
  EXPECT_EQ(After("01:00-01:10", 12, 0), hours(25));
}

class OverdueTest : public CollectorTest {
 protected:
  double Gauge(const std::string& name) { return store.metrics.Gauge(name, "").Value(); }
  // Another process gets the lease.
  void LoseLease() {
    store.clock.Advance(minutes(1));
    TestCollector other(store);
    other.Step();
    collector->Step();
    EXPECT_FALSE((*collector)->HoldsLease());
  }
  double OverdueLinks() {
    const auto state = (*collector)->Get();
    EXPECT_EQ(state->overdue(), Gauge("outport_store_gc_overdue"));
    return static_cast<double>(state->overdue());
  }
  double OverdueTrash() {
    const auto state = (*collector)->Get();
    EXPECT_EQ(state->overdue_trash(), Gauge("outport_store_gc_overdue_trash"));
    return static_cast<double>(state->overdue_trash());
  }
  // A window that opens two to three hours after this time from now, and lasts three hours.
  DailyWindow WindowAfter(hours time) const {
    const std::time_t then = system_clock::to_time_t(store.clock.Wall() + time);
    std::tm local{};
    ::localtime_r(&then, &local);
    const auto text = [&](int after) {
      return std::to_string(100 + (local.tm_hour + after) % 24).substr(1) + ":00";
    };
    return *DailyWindow::Parse(text(3) + "-" + text(6));
  }
};

TEST_F(OverdueTest, LinksThatWaitForTheWindowAreNotOverdue) {
  collector =
      std::make_unique<TestCollector>(store, Collector::Limits{.window = WindowAfter(hours(36))});
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->Pause();
  collector->WorkAfter(hours(36) + minutes(1));
  EXPECT_EQ(OverdueLinks(), 0.0);
  collector->WorkAfter(hours(2) - minutes(1));
  EXPECT_GT((*collector)->Get()->oldest_due_ms(), 0);
  EXPECT_EQ(OverdueLinks(), 0.0) << "the window has not opened yet";
  collector->WorkAfter(hours(2) + minutes(1));
  EXPECT_EQ(OverdueLinks(), 1.0) << "the window has been open for more than an hour";
}

TEST_F(OverdueTest, TrashWhoseWindowHasEndedIsOverdueAfterAnHour) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));  // the link and the blob are in the trash
  collector->Pause();
  collector->WorkAfter(hours(24) + minutes(59));
  EXPECT_EQ(OverdueTrash(), 0.0);
  collector->WorkAfter(minutes(2));
  EXPECT_EQ(OverdueTrash(), 2.0);
  EXPECT_EQ(OverdueLinks(), 0.0);
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty()) << "it is paused";
  store.clock.Advance(hours(24));
  collector->Resume();
  static_cast<void>(collector->Step());  // sees the state before it frees anything
  EXPECT_THAT((*collector)->Warnings(),
              testing::ElementsAre(testing::HasSubstr("the trash is overdue since")));
  collector->WorkAfter(minutes(1));
  EXPECT_EQ(OverdueTrash(), 0.0);
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty());
}

TEST_F(OverdueTest, AProcessThatLosesTheLeaseTellsNothing) {
  ASSERT_TRUE(store.PushBlob("a", "gone").has_value());
  collector->WorkAfter(hours(37));
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->Pause();
  collector->WorkAfter(hours(37 + 25));
  collector->Resume();
  static_cast<void>(collector->Step());  // sees the state before it removes anything
  const std::vector<std::string> gauges = {"outport_store_gc_queue", "outport_store_gc_overdue",
                                           "outport_store_gc_overdue_trash",
                                           "outport_store_gc_trash_bytes"};
  EXPECT_THAT((*collector)->Warnings(), testing::SizeIs(2));
  for (const std::string& gauge : gauges) EXPECT_GT(Gauge(gauge), 0.0) << gauge;
  LoseLease();
  EXPECT_THAT((*collector)->Warnings(), testing::IsEmpty());
  for (const std::string& gauge : gauges) EXPECT_EQ(Gauge(gauge), 0.0) << gauge;
}

TEST_F(OverdueTest, ManifestsAndTagsOfTheTrashMayStayForTheGracePeriod) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  const std::string digest = Sha256(ImageManifest({"config"})).ToString();
  ASSERT_TRUE(store.DeleteManifest("a", digest).has_value());
  collector->Pause();
  collector->WorkAfter(hours(1 + 24 + 36));  // the hour of the run, trash window, grace period
  EXPECT_EQ(OverdueTrash(), 0.0);
  collector->WorkAfter(hours(1) + minutes(1));
  EXPECT_EQ(OverdueTrash(), 2.0) << "the manifest and its tag";
}

}  // namespace
}  // namespace outport::store
