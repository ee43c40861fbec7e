#include "store/content/tag_restore.h"

#include <gmock/gmock.h>

#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "store/content/tag_history.h"
#include "store/content/tag_rules.h"
#include "store/content/trash.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/store/content/replay.h"

namespace outport::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class TagRestoreTest : public testing::Test {
 protected:
  TagRestoreTest() {
    EXPECT_TRUE(store_.PushImage("a", "v1", {"config", "one"}).has_value());
    store_.clock.Advance(std::chrono::minutes(1));
  }
  ~TagRestoreTest() override {
    EXPECT_THAT(ProblemsOfIndexes(*store_.meta), IsEmpty());
    EXPECT_EQ(ReplayLog(*store_.meta), ScanState(*store_.meta));
  }
  Result<TagRestore::Restored> Restore(const std::string& tag = "v1",
                                       const TagRestore::To& to = TagRestore::BeforeLastChange()) {
    const TagRestore restore({.meta = *store_.meta,
                              .clock = store_.clock,
                              .store_clock = store_.store_clock,
                              .times = store_.times});
    return restore.Run(Repo("a"), *Tag::Parse(tag), to, Actor::Administrator("admin"));
  }
  bool CanRestore(const std::string& body) {
    size_t read = 0;
    const ManifestRestore restore({.meta = *store_.meta,
                                   .clock = store_.clock,
                                   .store_clock = store_.store_clock,
                                   .times = store_.times});
    return restore.CanRun(Repo("a"), Sha256(body), read).value();
  }
  // Frees a blob that is in the trash, as the end of the trash window does.
  void FreeBlob(const std::string& bytes) {
    const auto transaction = store_.meta->Begin();
    ASSERT_TRUE(transaction->Delete(keys::Blob(Sha256(bytes))).has_value());
    ASSERT_TRUE(transaction->Commit().has_value());
  }
  // Moves v1 to an image of these blobs.
  void Move(const std::vector<std::string>& blobs) {
    ASSERT_TRUE(store_.PushImage("a", "v1", blobs).has_value());
    store_.clock.Advance(std::chrono::minutes(1));
  }
  void Delete(const std::string& reference) {
    const auto deleted = store_.DeleteManifest("a", reference);
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
    store_.clock.Advance(std::chrono::minutes(1));
  }
  void DeleteBlobs(const std::vector<std::string>& blobs) {
    for (const std::string& blob : blobs) {
      const auto deleted = store_.DeleteBlob("a", blob);
      ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
    }
  }
  // Frees a manifest that is in the trash, as the end of the trash window does.
  void Free(const std::string& body) {
    const Digest digest = Sha256(body);
    const auto freed = Transact(*store_.meta, [&](MetaTransaction& transaction) -> Result<void> {
      TRY(const auto row, ReadRow<v1::TrashedRow>(transaction, keys::Trashed(Repo("a"), digest)));
      return FreeManifest(transaction, row->run(), Repo("a"), digest);
    });
    ASSERT_TRUE(freed.has_value()) << freed.error().message;
  }
  void ExpectPullable(const std::string& tag, const std::string& body,
                      const std::vector<std::string>& blobs) {
    const auto pulled = store_.PullManifest("a", tag);
    ASSERT_TRUE(pulled.has_value()) << pulled.error().message;
    EXPECT_EQ(pulled->body, body);
    for (const std::string& blob : blobs) {
      EXPECT_EQ(store_.PullBlob("a", Sha256(blob)).value_or("absent"), blob);
    }
  }

  TestContent store_;
  const std::string one_ = ImageManifest({"config", "one"});
  const std::string two_ = ImageManifest({"config", "two"});
};

TEST_F(TagRestoreTest, ADeletedTagComesBack) {
  Delete("v1");
  const auto restored = Restore();
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  EXPECT_EQ(restored->digest, Sha256(one_));
  EXPECT_EQ(restored->before, "");
  EXPECT_EQ(restored->sequence, store_.Head());
  store_.Reopen();
  ExpectPullable("v1", one_, {"config", "one"});
}

TEST_F(TagRestoreTest, AMovedTagMovesBack) {
  Move({"config", "two"});
  const auto restored = Restore();
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  EXPECT_EQ(restored->before, Sha256(two_).ToString());
  ExpectPullable("v1", one_, {"config", "one"});
}

TEST_F(TagRestoreTest, TheHistoryNamesTheRestore) {
  Delete("v1");
  ASSERT_TRUE(Restore().has_value());
  const auto events = TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse("v1")).value();
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].why(), "restore");
  EXPECT_EQ(events[0].by(), "administrator admin");
  EXPECT_EQ(events[0].before(), "");
  EXPECT_EQ(events[0].after(), Sha256(one_).ToString());
}

TEST_F(TagRestoreTest, AManifestComesBackFromTheTrash) {
  ASSERT_TRUE(store_.PushManifest("a", "v2", one_).has_value());
  Delete(Sha256(one_).ToString());
  ASSERT_EQ(CodeOf(store_.PullManifest("a", "v1")), ErrorCode::kManifestUnknown);
  const auto restored = Restore();
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  ExpectPullable("v1", one_, {"config", "one"});
  EXPECT_FALSE(*HasRow(*store_.meta, keys::Trashed(Repo("a"), Sha256(one_))));
  EXPECT_EQ(CodeOf(store_.PullManifest("a", "v2")), ErrorCode::kManifestUnknown) << "only v1";
  ASSERT_TRUE(Restore("v2").has_value());
}

TEST_F(TagRestoreTest, BlobsComeBackFromTheTrash) {
  Delete(Sha256(one_).ToString());
  DeleteBlobs({"config", "one"});
  ASSERT_FALSE(store_.PullBlob("a", Sha256("one")).has_value());
  const auto restored = Restore();
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  store_.Reopen();
  ExpectPullable("v1", one_, {"config", "one"});
}

TEST_F(TagRestoreTest, ABlobOfAnotherRepositoryIsLinkedAgain) {
  ASSERT_TRUE(store_.PushImage("b", "v1", {"config", "one"}).has_value());
  Delete(Sha256(one_).ToString());
  DeleteBlobs({"config", "one"});
  ASSERT_TRUE(Restore().has_value());
  ExpectPullable("v1", one_, {"config", "one"});
}

TEST_F(TagRestoreTest, AnIndexComesBackWithItsChildren) {
  ASSERT_TRUE(store_.PushImage("a", "child", {"config", "two"}).has_value());
  const std::string inner = IndexManifest({two_});
  const std::string outer = IndexManifest({one_, inner, two_});
  ASSERT_TRUE(store_.PushManifest("a", "inner", inner).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "multi", outer).has_value());
  for (const std::string& body : {outer, inner, one_, two_}) Delete(Sha256(body).ToString());
  DeleteBlobs({"config", "one", "two"});
  const auto restored = Restore("multi");
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  ExpectPullable("multi", outer, {"config", "one", "two"});
  for (const std::string& body : {inner, one_, two_}) {
    EXPECT_TRUE(store_.PullManifest("a", Sha256(body).ToString()).has_value());
  }
}

TEST_F(TagRestoreTest, ATagThatIsRightGetsItsMissingChildrenBack) {
  const std::string index = IndexManifest({one_});
  ASSERT_TRUE(store_.PushManifest("a", "multi", index).has_value());
  Delete(Sha256(one_).ToString());
  const auto restored = Restore("multi", TagRestore::To(Sha256(index)));
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  EXPECT_EQ(restored->before, Sha256(index).ToString());
  EXPECT_TRUE(store_.PullManifest("a", Sha256(one_).ToString()).has_value());
  EXPECT_EQ(TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse("multi"))->size(), 1U);
}

TEST_F(TagRestoreTest, GoesBackToADigest) {
  Move({"config", "two"});
  Move({"config", "three"});
  const auto restored = Restore("v1", TagRestore::To(Sha256(one_)));
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  ExpectPullable("v1", one_, {"config", "one"});
  const auto unknown = Restore("v1", TagRestore::To(Sha256("never")));
  ASSERT_EQ(CodeOf(unknown), ErrorCode::kNotFound);
  EXPECT_THAT(unknown.error().message, HasSubstr(Sha256(two_).ToString()));
}

TEST_F(TagRestoreTest, GoesBackToATime) {
  const std::string oldest = FormatTime(
      FromUnixMillis(TagHistory(*store_.meta).Of(Repo("a"), *Tag::Parse("v1"))->back().time_ms()));
  const int64_t first_ms = store_.store_clock.NowMs();
  Move({"config", "two"});
  const int64_t second_ms = store_.store_clock.NowMs();
  Delete("v1");
  const int64_t third_ms = store_.store_clock.NowMs();
  ASSERT_TRUE(Restore("v1", TagRestore::At{first_ms - 1}).has_value());
  ExpectPullable("v1", one_, {"config", "one"});
  ASSERT_TRUE(Restore("v1", TagRestore::At{second_ms - 1}).has_value());
  ExpectPullable("v1", two_, {"config", "two"});
  const auto deleted = Restore("v1", TagRestore::At{third_ms - 1});
  ASSERT_EQ(CodeOf(deleted), ErrorCode::kNotFound);
  EXPECT_THAT(deleted.error().message, HasSubstr("it was deleted at"));
  const auto before = Restore("v1", TagRestore::At{1000});
  ASSERT_EQ(CodeOf(before), ErrorCode::kNotFound);
  EXPECT_THAT(before.error().message,
              HasSubstr("1970-01-01T00:00:01.000Z is before its oldest known change; its history, "
                        "from " +
                        oldest + " on, has "));
  const auto ahead = Restore("v1", TagRestore::At{third_ms + 3'600'000});
  ASSERT_EQ(CodeOf(ahead), ErrorCode::kInvalidArgument);
  EXPECT_THAT(ahead.error().message, HasSubstr("is in the future"));
}

TEST_F(TagRestoreTest, NothingToGoBackTo) {
  const auto first = Restore();
  ASSERT_EQ(CodeOf(first), ErrorCode::kNotFound) << "v1 was only created";
  EXPECT_THAT(first.error().message, HasSubstr("it did not exist before its last change"));
  EXPECT_EQ(CodeOf(Restore("v9")), ErrorCode::kNotFound);
}

TEST_F(TagRestoreTest, TheManifestComesBackWithItsLastPull) {
  const std::string digest = Sha256(one_).ToString();
  const int64_t pulled_ms = store_.store_clock.NowMs();
  ASSERT_TRUE(WritePulls(*store_.meta, {{Repo("a"), Sha256(one_), pulled_ms}}, "eu-west",
                         MetaTransaction::Durability::kBuffered)
                  .has_value());
  Delete(digest);
  ASSERT_TRUE(Restore().has_value());
  const auto pull = FindPull(*store_.meta, Repo("a"), Ref(digest));
  ASSERT_TRUE(pull.has_value() && pull->has_value());
  EXPECT_EQ((*pull)->last_ms(), pulled_ms);
  EXPECT_EQ((*pull)->node(), "eu-west");
}

TEST_F(TagRestoreTest, SaysBeforeWhetherAllContentIsThere) {
  EXPECT_TRUE(CanRestore(one_));
  EXPECT_FALSE(CanRestore(two_)) << "it was never there";
  Delete(Sha256(one_).ToString());
  DeleteBlobs({"config", "one"});
  EXPECT_TRUE(CanRestore(one_)) << "all of it is in the trash";
  FreeBlob("one");
  EXPECT_FALSE(CanRestore(one_));
  EXPECT_EQ(CodeOf(Restore()), ErrorCode::kFailedPrecondition);
}

TEST_F(TagRestoreTest, SaysBeforeWhetherTheChildrenOfAnIndexAreThere) {
  ASSERT_TRUE(store_.PushImage("a", "child", {"config", "two"}).has_value());
  const std::string index = IndexManifest({one_, two_});
  ASSERT_TRUE(store_.PushManifest("a", "multi", index).has_value());
  for (const std::string& body : {index, one_, two_}) Delete(Sha256(body).ToString());
  EXPECT_TRUE(CanRestore(index));
  DeleteBlobs({"two"});
  EXPECT_TRUE(CanRestore(index));
  FreeBlob("two");
  EXPECT_FALSE(CanRestore(index)) << "a child lacks its layer";
  EXPECT_EQ(CodeOf(Restore("multi")), ErrorCode::kFailedPrecondition);
}

TEST_F(TagRestoreTest, AManifestThatIsGoneIsNamed) {
  Delete(Sha256(one_).ToString());
  Free(one_);
  const auto restored = Restore();
  ASSERT_EQ(CodeOf(restored), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(restored.error().items, ElementsAre(Sha256(one_).ToString()));
  EXPECT_EQ(CodeOf(store_.PullManifest("a", "v1")), ErrorCode::kManifestUnknown);
}

TEST_F(TagRestoreTest, ContentOfAnIndexThatIsGoneIsNamed) {
  const std::string index = IndexManifest({one_, two_});
  ASSERT_TRUE(store_.PushImage("a", "child", {"config", "two"}).has_value());
  ASSERT_TRUE(store_.PushManifest("a", "multi", index).has_value());
  for (const std::string& body : {index, one_, two_}) Delete(Sha256(body).ToString());
  Free(one_);
  DeleteBlobs({"two"});
  FreeBlob("two");
  const uint64_t head = store_.Head();
  const auto restored = Restore("multi");
  ASSERT_EQ(CodeOf(restored), ErrorCode::kFailedPrecondition);
  EXPECT_THAT(restored.error().items,
              UnorderedElementsAre(Sha256(one_).ToString(), Sha256("two").ToString()));
  EXPECT_EQ(store_.Head(), head) << "nothing came back";
  for (const std::string& missing : restored.error().items) {
    EXPECT_THAT(restored.error().message, HasSubstr(missing));
  }
}

TEST_F(TagRestoreTest, TheMessageNamesThreeMissingDigestsAndTheNumberOfOthers) {
  const std::vector<std::string> blobs = {"b1", "b2", "b3", "b4", "b5"};
  const std::string body = ImageManifest(blobs);
  ASSERT_TRUE(store_.PushImage("a", "large", blobs).has_value());
  Delete(Sha256(body).ToString());
  DeleteBlobs(blobs);
  for (const std::string& blob : blobs) FreeBlob(blob);
  const auto restored = Restore("large");
  ASSERT_EQ(CodeOf(restored), ErrorCode::kFailedPrecondition);
  const std::vector<std::string>& items = restored.error().items;
  ASSERT_EQ(items.size(), 5U);
  EXPECT_THAT(restored.error().message, HasSubstr("gone, also from the trash: " + items[0] + ", " +
                                                  items[1] + ", " + items[2] + " and 2 others;"));
}

TEST_F(TagRestoreTest, ARuleForbidsToMoveATagBackButNotToBringItBack) {
  Move({"config", "two"});
  v1::TagRuleRow rule;
  rule.set_name("releases");
  rule.set_repositories("**");
  rule.set_tags("v*");
  TagRules rules(*store_.meta, store_.clock, Log::Nowhere());
  ASSERT_TRUE(rules.Set(rule, 1, Actor::Administrator("admin")).has_value());
  const auto moved = Restore();
  ASSERT_EQ(CodeOf(moved), ErrorCode::kDenied);
  EXPECT_THAT(moved.error().message,
              HasSubstr("cannot restore tag a:v1: the rule 'releases' (repositories **, tags v*)"));
  EXPECT_THAT(moved.error().message, HasSubstr("'outportctl tag unprotect releases', restore"));
  ASSERT_TRUE(rules.Remove("releases", Actor::Administrator("admin")).has_value());
  Delete("v1");
  ASSERT_TRUE(rules.Set(rule, 1, Actor::Administrator("admin")).has_value());
  ASSERT_TRUE(Restore().has_value());
  ExpectPullable("v1", two_, {"config", "two"});
}

}  // namespace
}  // namespace outport::store
