#include "store/content/tag_history_sweep.h"

#include <gmock/gmock.h>

#include "registry/records/rows.h"
#include "store/content/tag_history.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

using std::chrono::days;
using testing::IsEmpty;

class TagHistorySweepTest : public testing::Test {
 protected:
  TagHistorySweepTest() {
    for (const char* content : {"one", "two"}) {
      EXPECT_TRUE(store_.PushBlob("a", content).has_value());
    }
  }
  ~TagHistorySweepTest() override { pool_.Stop(); }

  void Push(const std::string& tag, const std::string& content) {
    ASSERT_TRUE(store_.PushManifest("a", tag, ImageManifest({content})).has_value());
  }
  void Pass(days time) { store_.clock.Advance(time); }
  TagHistorySweep MakeSweep(const std::string& owner = "this") {
    return TagHistorySweep({.meta = *store_.meta,
                            .clock = store_.store_clock,
                            .pool = pool_,
                            .log = Log::Nowhere(),
                            .owner = owner,
                            .keep = days(90)});
  }
  void Sweep() {
    for (;;) {
      const auto done = sweep_.Step();
      ASSERT_TRUE(done.has_value()) << done.error().message;
      if (*done) return;
    }
  }
  size_t Count(const std::string& tag) {
    return TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse(tag))->size();
  }

  TestContent store_;
  BlockingPool pool_{"disk", 1, 10};
  TagHistorySweep sweep_ = MakeSweep();
};

TEST_F(TagHistorySweepTest, DeletesOldEvents) {
  Push("v1", "one");
  Push("v1", "two");
  Pass(days(60));
  Push("v1", "one");
  Pass(days(20));
  Sweep();
  EXPECT_EQ(Count("v1"), 3U) << "all are younger than 90 days";
  Pass(days(20));
  Sweep();
  EXPECT_EQ(Count("v1"), 1U);
  Push("v1", "two");
  const auto events = TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse("v1")).value();
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[0].before(), events[1].after());
}

TEST_F(TagHistorySweepTest, KeepsTheNewestEventOfATagThatExists) {
  Push("v1", "one");
  Push("v1", "two");
  Pass(days(1000));
  Sweep();
  const auto events = TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse("v1")).value();
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].after(), Sha256(ImageManifest({"two"})).ToString());
}

TEST_F(TagHistorySweepTest, ForgetsADeletedTag) {
  Push("v1", "one");
  Push("v2", "one");
  ASSERT_TRUE(store_.DeleteManifest("a", "v1").has_value());
  Pass(days(89));
  Sweep();
  EXPECT_EQ(Count("v1"), 2U);
  Pass(days(2));
  Sweep();
  EXPECT_EQ(Count("v1"), 0U);
  EXPECT_EQ(Count("v2"), 1U);
  Push("v1", "two");
  EXPECT_EQ(Count("v1"), 1U);
}

// More events than one page, so that pages end within the history of a tag.
TEST_F(TagHistorySweepTest, PagesDoNotConfuseTheNewestEvent) {
  for (int tag = 0; tag < 30; ++tag) {
    const auto filled = Transact(*store_.meta, [&](MetaTransaction& transaction) -> Result<void> {
      const Tag name = *Tag::Parse("t" + std::to_string(tag));
      for (int i = 0; i < 90; ++i) {
        const TagChange change{.before = std::to_string(i), .after = std::to_string(i + 1)};
        TRY_VOID(RecordTagEvent(transaction, Repo("a"), name, change, kAnn));
      }
      return {};
    });
    ASSERT_TRUE(filled.has_value());
    Push("t" + std::to_string(tag), "one");
  }
  Pass(days(91));
  Sweep();
  for (int tag = 0; tag < 30; ++tag) EXPECT_EQ(Count("t" + std::to_string(tag)), 1U) << tag;
}

TEST_F(TagHistorySweepTest, OneProcessSweepsAtATime) {
  for (int i = 0; i < 11; ++i) Push("v1", i % 2 == 0 ? "one" : "two");
  const auto filled = Transact(*store_.meta, [&](MetaTransaction& transaction) -> Result<void> {
    for (int i = 0; i < 1500; ++i) {
      const Tag name = *Tag::Parse("t" + std::to_string(i));
      TRY_VOID(RecordTagEvent(transaction, Repo("a"), name, {.before = "", .after = "x"}, kAnn));
    }
    return {};
  });
  ASSERT_TRUE(filled.has_value());
  Pass(days(91));
  const auto begun = sweep_.Step();
  ASSERT_TRUE(begun.has_value());
  ASSERT_FALSE(*begun) << "there is another page";
  TagHistorySweep other = MakeSweep("other");
  const auto refused = other.Step();
  ASSERT_TRUE(refused.has_value());
  EXPECT_TRUE(*refused);
  EXPECT_EQ(Count("v1"), 11U);
  Sweep();
  EXPECT_EQ(Count("v1"), 1U);
  EXPECT_EQ(Count("t0"), 0U);
  EXPECT_TRUE(*other.Step()) << "the lease is free again";
}

TEST_F(TagHistorySweepTest, AnEmptyStoreIsSwept) {
  Sweep();
  EXPECT_THAT(store_.meta->Scan({.prefix = std::string(keys::kTagEvents)}).value(), IsEmpty());
}

}  // namespace
}  // namespace outport::store
