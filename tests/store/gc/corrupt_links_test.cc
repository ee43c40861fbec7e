#include "registry/records/rows.h"
#include "store/gc/link_sweep.h"
#include "tests/store/gc/collector_fixture.h"
#include "tests/support/full_meta_store.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

constexpr size_t kPushed = LinkSweep::kBatch + 6;

// The store has three blobs that nothing refers to.
class CorruptLinksTest : public CollectorTest {
 protected:
  CorruptLinksTest() {
    EXPECT_TRUE(store.PushBlob("a", "one").has_value());
    EXPECT_TRUE(store.PushBlob("a", "two").has_value());
    EXPECT_TRUE(store.PushBlob("b", "three").has_value());
  }
  void Put(const std::string& key, const std::string& value) {
    const auto transaction = store.meta->Begin();
    ASSERT_TRUE(transaction->Put(key, value).has_value());
    ASSERT_TRUE(transaction->Commit().has_value());
  }
  // Returns the value that the row had.
  std::string Corrupt(const std::string& key) {
    const std::string before = store.meta->Get(key)->value_or("");
    EXPECT_NE(before, "") << Printable(key);
    Put(key, "\xff");
    return before;
  }
  static std::string Link(const std::string& bytes) { return keys::Link(Repo("a"), Sha256(bytes)); }
  static std::string Item(const std::string& bytes, const std::string& repository) {
    return "link " + repository + "@" + Sha256(bytes).ToString();
  }
};

TEST_F(CorruptLinksTest, ACorruptLinkHoldsUpNoOtherLink) {
  const std::string link = Corrupt(Link("one"));
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("a", "two"));
  EXPECT_FALSE(HasBlob("b", "three"));
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(collector->LastRun().removed().links(), 2u);
  EXPECT_EQ(collector->LastRun().kept(), 1u);
  Put(Link("one"), link);
  EXPECT_TRUE(HasBlob("a", "one")) << "the corrupt link and its blob stay";
}

TEST_F(CorruptLinksTest, AnAttemptThatIsRepeatedSkipsNothing) {
  const std::string link = Corrupt(Link("one"));
  FullMetaStore contended(*store.meta);
  int attempts = 0;
  // Only the first attempt meets the corrupt row, and its commit fails.
  contended.on_lock = [&](std::string_view key) {
    if (key != keys::Blob(Sha256("one"))) return;
    ++attempts;
    contended.failure.reset();
    if (attempts == 1) contended.failure = ErrorCode::kDeadlineExceeded;
    if (attempts == 2) Put(Link("one"), link);
  };
  testing::internal::CaptureStderr();
  {
    TestCollector other(store, {},
                        {.meta = &contended, .log = Log::ToStandardError(LogLevel::kWarning)});
    other.WorkAfter(hours(37));
    EXPECT_EQ(other.LastRun().removed().links(), 3u);
    EXPECT_EQ(other.LastRun().kept(), 0u);
  }
  EXPECT_FALSE(testing::internal::GetCapturedStderr().contains("corrupt row skipped"));
  EXPECT_GE(attempts, 2);
}

TEST_F(CorruptLinksTest, ACorruptBlobHoldsUpNoOtherLink) {
  ASSERT_TRUE(store.Mount("c", "one", "a").has_value());
  const std::string blob = Corrupt(keys::Blob(Sha256("one")));
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_DONE);
  EXPECT_EQ(collector->LastRun().removed().links(), 2u);
  EXPECT_EQ(collector->LastRun().kept(), 2u);
  Put(keys::Blob(Sha256("one")), blob);
  EXPECT_TRUE(HasBlob("a", "one"));
  EXPECT_TRUE(HasBlob("c", "one"));
}

// A reference to a manifest without a name: something may refer to the blob.
TEST_F(CorruptLinksTest, ACorruptReferenceKeepsTheLink) {
  Put(keys::ReferencesTo(Sha256("one"), Repo("a")) + "no digest", "");
  collector->WorkAfter(hours(37));
  EXPECT_TRUE(HasBlob("a", "one"));
  EXPECT_FALSE(HasBlob("a", "two"));
}

// The links stay at the front of the queue, and more than one batch of them.
TEST_F(CorruptLinksTest, LinksThatStayMakeNoRunsByTheHour) {
  collector->WorkAfter(hours(37));
  std::vector<std::string> links;
  for (size_t i = 0; i < kPushed; ++i) {
    const std::string bytes = "corrupt " + std::to_string(i);
    ASSERT_TRUE(store.PushBlob("a", bytes).has_value());
    links.push_back(Corrupt(Link(bytes)));
  }
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->LastRun().kept(), kPushed);
  const size_t runs = collector->Runs().size();
  for (int i = 0; i < 5; ++i) collector->WorkAfter(hours(2));
  EXPECT_THAT(collector->Runs(), SizeIs(runs));
  EXPECT_THAT((*collector)->Warnings(),
              Contains(HasSubstr("a row is corrupt: " + std::to_string(kPushed))));
  ASSERT_TRUE(store.PushBlob("b", "other").has_value());
  collector->WorkAfter(hours(37));
  EXPECT_FALSE(HasBlob("b", "other")) << "behind the corrupt ones";
  // An administrator repairs the rows. The collector looks again after a day.
  for (size_t i = 0; i < kPushed; ++i) Put(Link("corrupt " + std::to_string(i)), links[i]);
  collector->WorkAfter(hours(25));
  EXPECT_EQ(CountRows(store, keys::kCondemned), 0u);
  collector->WorkAfter(hours(1));
  EXPECT_THAT((*collector)->Warnings(), testing::Not(Contains(HasSubstr("a row is corrupt"))));
}

TEST_F(CorruptLinksTest, APlanHasNoLinkWithACorruptRow) {
  store.clock.Advance(hours(37));
  Corrupt(Link("one"));
  EXPECT_THAT(ItemsOf(collector->Plan()),
              testing::UnorderedElementsAre(Item("two", "a"), Item("three", "b")));
  Corrupt(keys::Blob(Sha256("two")));
  EXPECT_THAT(ItemsOf(collector->Plan()), ElementsAre(Item("three", "b")));
}

TEST_F(CorruptLinksTest, ARunOfAPlanLeavesLinksThatAreCorruptSince) {
  collector->Pause();
  store.clock.Advance(hours(37));
  static_cast<void>(collector->Step());  // acquires the lease, and removes nothing
  const std::string plan = collector->Plan().plan();
  Corrupt(Link("one"));
  Corrupt(keys::Blob(Sha256("two")));
  collector->Resume();
  const v1::RunRow run = collector->Finish(collector->StartPlan(plan));
  EXPECT_EQ(run.state(), v1::RUN_STATE_DONE) << run.failure();
  EXPECT_EQ(run.removed().links(), 1u);
  EXPECT_EQ(run.kept(), 2u);
  EXPECT_EQ(CountRows(store, keys::kCondemned), 2u);
}

}  // namespace
}  // namespace outport::store
