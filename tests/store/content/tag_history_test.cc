#include "store/content/tag_history.h"

#include <gmock/gmock.h>

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class TagHistoryTest : public testing::Test {
 protected:
  TagHistoryTest() {
    for (const char* content : {"one", "two", "three"}) {
      EXPECT_TRUE(store_.PushBlob("a", content).has_value());
    }
  }
  static std::string Body(const std::string& content) { return ImageManifest({content}); }
  static std::string DigestOf(const std::string& content) {
    return Sha256(Body(content)).ToString();
  }
  void Push(const std::string& tag, const std::string& content) {
    store_.clock.Advance(std::chrono::seconds(1));
    const auto pushed = store_.PushManifest("a", tag, Body(content));
    ASSERT_TRUE(pushed.has_value()) << pushed.error().message;
  }
  void Delete(const std::string& reference) {
    store_.clock.Advance(std::chrono::seconds(1));
    const auto deleted = store_.DeleteManifest("a", reference);
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  }
  TagHistory History() const { return TagHistory(*store_.meta); }
  std::vector<v1::TagEventRow> Of(const std::string& tag) const {
    return History().Of(Repo("a"), *Tag::Parse(tag)).value();
  }
  // The changes of a tag as "before>after" with one letter for each manifest, the newest first.
  std::vector<std::string> Changes(const std::string& tag) const {
    std::vector<std::string> changes;
    for (const v1::TagEventRow& event : Of(tag)) {
      changes.push_back(Short(event.before()) + ">" + Short(event.after()));
    }
    return changes;
  }
  static std::string Short(const std::string& digest) {
    for (const char* content : {"one", "two", "three"}) {
      if (digest == DigestOf(content)) return content;
    }
    return digest;
  }

  TestContent store_;
};

TEST_F(TagHistoryTest, HasEveryChangeNewestFirst) {
  Push("v1", "one");
  Push("v1", "two");
  Delete("v1");
  Push("v1", "one");
  EXPECT_THAT(Changes("v1"), ElementsAre(">one", "two>", "one>two", ">one"));
  store_.Reopen();
  EXPECT_THAT(Changes("v1"), ElementsAre(">one", "two>", "one>two", ">one"));
}

TEST_F(TagHistoryTest, SaysWhoWhenAndFromWhere) {
  const Actor relayed{.kind = "user", .name = "ci", .node = "eu-west"};
  const auto pushed =
      store_.content->manifests.Put(Repo("a"), Ref("v1"), "", {}, Body("one"), relayed);
  ASSERT_TRUE(pushed.has_value());
  const int64_t first_ms = store_.store_clock.NowMs();
  store_.clock.Advance(std::chrono::minutes(5));
  Push("v1", "two");
  const auto events = Of("v1");
  ASSERT_EQ(events.size(), 2U);
  EXPECT_EQ(events[1].by(), "user ci");
  EXPECT_EQ(events[1].node(), "eu-west");
  EXPECT_EQ(events[1].time_ms(), first_ms);
  EXPECT_EQ(events[0].by(), "user ann");
  EXPECT_EQ(events[0].node(), "");
  EXPECT_EQ(events[0].why(), "");
  EXPECT_EQ(events[0].time_ms(), first_ms + 301'000);
}

TEST_F(TagHistoryTest, APushOfTheSameManifestIsNoChange) {
  Push("v1", "one");
  Push("v1", "one");
  EXPECT_THAT(Changes("v1"), ElementsAre(">one"));
}

TEST_F(TagHistoryTest, ARejectedPushIsNoChange) {
  Push("v1", "one");
  const auto pushed = store_.PushManifest("a", "v1", Body("absent"));
  EXPECT_EQ(CodeOf(pushed), ErrorCode::kManifestBlobUnknown);
  EXPECT_THAT(Changes("v1"), ElementsAre(">one"));
}

TEST_F(TagHistoryTest, ADeletedManifestEndsEachOfItsTags) {
  Push("v1", "one");
  Push("v2", "one");
  Push("v3", "two");
  Delete(DigestOf("one"));
  EXPECT_THAT(Changes("v1"), ElementsAre("one>", ">one"));
  EXPECT_THAT(Changes("v2"), ElementsAre("one>", ">one"));
  EXPECT_THAT(Changes("v3"), ElementsAre(">two"));
}

TEST_F(TagHistoryTest, ChangesOfOneMillisecondKeepTheirOrder) {
  for (const char* content : {"one", "two", "three"}) {
    ASSERT_TRUE(store_.PushManifest("a", "v1", Body(content)).has_value());
  }
  EXPECT_THAT(Changes("v1"), ElementsAre("two>three", "one>two", ">one"));
}

TEST_F(TagHistoryTest, KeepsAHundredEvents) {
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE(store_.PushManifest("a", "v1", Body("one")).has_value());
    ASSERT_TRUE(store_.PushManifest("a", "v1", Body("two")).has_value());
  }
  const auto rows = store_.meta->Scan({.prefix = std::string(keys::kTagEvents), .limit = 1000});
  EXPECT_EQ(rows->size(), kMaxTagEvents);
  const auto events = Of("v1");
  ASSERT_EQ(events.size(), kMaxTagEvents);
  EXPECT_EQ(Short(events.front().after()), "two");
  EXPECT_EQ(Short(events.back().before()), "two") << "the first events are gone";
}

TEST_F(TagHistoryTest, TheHistoryOfARepositoryComesInPages) {
  Push("v2", "one");
  Push("v1", "one");
  Push("v1", "two");
  Delete("v2");
  Push("v1", "three");
  ASSERT_TRUE(store_.PushBlob("a/b", "one").has_value());
  ASSERT_TRUE(store_.PushManifest("a/b", "other", Body("one")).has_value());
  for (const size_t limit : {1, 2, 3, 5, 100}) {
    std::vector<std::string> seen;
    std::string after;
    do {
      const auto page = History().List(Repo("a"), std::nullopt, after, limit);
      ASSERT_TRUE(page.has_value()) << page.error().message;
      EXPECT_LE(page->events.size(), limit);
      for (const TagHistory::Event& event : page->events) {
        seen.push_back(event.tag.ToString() + ":" + Short(event.row.after()));
      }
      after = page->next;
    } while (!after.empty());
    EXPECT_THAT(seen, ElementsAre("v1:three", "v1:two", "v1:one", "v2:", "v2:one")) << limit;
  }
}

TEST_F(TagHistoryTest, APageOfOneTagEndsWithTheTag) {
  Push("v1", "one");
  Push("v1", "two");
  Push("v1.1", "one");
  const auto first = History().List(Repo("a"), *Tag::Parse("v1"), "", 1);
  ASSERT_TRUE(first.has_value());
  ASSERT_EQ(first->events.size(), 1U);
  const auto second = History().List(Repo("a"), *Tag::Parse("v1"), first->next, 5);
  ASSERT_TRUE(second.has_value());
  ASSERT_EQ(second->events.size(), 1U);
  EXPECT_EQ(Short(second->events[0].row.after()), "one");
  EXPECT_EQ(second->next, "");
}

TEST_F(TagHistoryTest, NamesWhatDoesNotExist) {
  Push("v1", "one");
  EXPECT_EQ(CodeOf(History().List(Repo("b"), std::nullopt, "", 5)), ErrorCode::kNameUnknown);
  EXPECT_EQ(CodeOf(History().List(Repo("a"), *Tag::Parse("v2"), "", 5)), ErrorCode::kNotFound);
  for (const char* after : {"v1", "v1/", "v1/12", "/fffffffffffffffe", "../fffffffffffffffe"}) {
    EXPECT_EQ(CodeOf(History().List(Repo("a"), std::nullopt, after, 5)),
              ErrorCode::kPaginationInvalid)
        << after;
  }
}

TEST_F(TagHistoryTest, KnowsWhetherATagWasSetAgainAfterItsDeletion) {
  const auto changed = [&](int64_t deleted_ms) {
    return History().ChangedAfterDeletion(Repo("a"), *Tag::Parse("v1"), deleted_ms).value();
  };
  EXPECT_FALSE(changed(1)) << "no history";
  Push("v1", "one");
  Delete("v1");
  const int64_t deleted_ms = Of("v1").front().time_ms();
  EXPECT_FALSE(changed(deleted_ms));
  Push("v1", "one");
  EXPECT_TRUE(changed(deleted_ms));
  Delete("v1");
  EXPECT_TRUE(changed(deleted_ms)) << "although the tag is deleted again";
  EXPECT_FALSE(changed(Of("v1").front().time_ms()));
}

// The deletion read the clock before it waited for a push.
TEST_F(TagHistoryTest, ADeletionThatWaitedIsNoLaterChange) {
  Push("v1", "one");
  const int64_t pushed_ms = Of("v1").front().time_ms();
  const int64_t read_ms = pushed_ms - 5;
  const TagChange deletion{.before = DigestOf("one"), .after = {}, .now_ms = read_ms};
  const auto record = [&](MetaTransaction& transaction) {
    return RecordTagEvent(transaction, Repo("a"), *Tag::Parse("v1"), deletion, Actor{});
  };
  ASSERT_TRUE(Transact(*store_.meta, record).has_value());
  ASSERT_EQ(Of("v1").front().time_ms(), pushed_ms);
  EXPECT_FALSE(History().ChangedAfterDeletion(Repo("a"), *Tag::Parse("v1"), read_ms).value());
}

// Rows of a release without history.
TEST_F(TagHistoryTest, ATagWithoutHistoryIsNoError) {
  Push("v1", "one");
  const auto transaction = store_.meta->Begin();
  ASSERT_TRUE(transaction->Delete(keys::TagEvent(Repo("a"), *Tag::Parse("v1"), 1)).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  const auto page = History().List(Repo("a"), *Tag::Parse("v1"), "", 5);
  ASSERT_TRUE(page.has_value()) << page.error().message;
  EXPECT_THAT(page->events, IsEmpty());
  Push("v1", "two");
  EXPECT_THAT(Changes("v1"), ElementsAre("one>two"));
}

}  // namespace
}  // namespace outport::store
