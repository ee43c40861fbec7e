#include "registry/records/rows.h"
#include "store/content/tag_history.h"
#include "store/content/tag_restore.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;

class UndoTest : public CollectorTest {
 protected:
  // Pushes an image, takes its tag away, and removes it with a run.
  std::string RemoveImage() {
    EXPECT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
    EXPECT_TRUE(store.DeleteManifest("a", "v1").has_value());
    store.clock.Advance(hours(37));
    const v1::RunRow run = collector->RunUntagged();
    EXPECT_EQ(run.removed().manifests(), 1u);
    return run.id();
  }
  // Pushes an image with many tags, more than one transaction deletes, and deletes it by its
  // digest. Returns the run that an administrator can undo.
  std::string DeleteImageWithManyTags() {
    EXPECT_TRUE(store.PushImage("a", "v0", {"config", "layer"}).has_value());
    EXPECT_TRUE(store.PushTagged("a", kBody, ManyTags()).has_value());
    EXPECT_TRUE(store.DeleteManifest("a", kDigest).has_value());
    EXPECT_EQ(CountRows(store, keys::kTags), 0u);
    store.clock.Advance(hours(1));
    return (*collector)->ListRuns({})->runs(0).id();
  }
  static std::vector<std::string> ManyTags() {
    std::vector<std::string> tags;
    for (size_t i = 0; i < kManyTags; ++i) tags.push_back("v" + std::to_string(i));
    return tags;
  }
  static constexpr size_t kManyTags = 2100;

  // Why the tag changed for the last time.
  std::string LastWhy(const std::string& tag) {
    const auto events = TagHistory(*store.meta).Of(Repo("a"), *Tag::Parse(tag));
    EXPECT_TRUE(events.has_value() && !events->empty());
    return events.has_value() && !events->empty() ? events->front().why() : "no event";
  }
  const std::string kBody = ImageManifest({"config", "layer"});
  const std::string kDigest = Sha256(kBody).ToString();
};

TEST_F(UndoTest, BringsLinksAndBlobsBack) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store.PushBlob("b", "layer").has_value());
  collector->WorkAfter(hours(37));
  ASSERT_FALSE(HasBlob("a", "layer"));
  const v1::RunRow run = collector->Undo(collector->LastRun().id());
  EXPECT_EQ(run.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(run.restored().links(), 2u);
  EXPECT_EQ(run.restored().blobs(), 1u);
  EXPECT_EQ(run.restored().blob_bytes(), 5u);
  EXPECT_EQ(run.undone_by(), "root");
  EXPECT_TRUE(HasBlob("a", "layer"));
  EXPECT_TRUE(HasBlob("b", "layer"));
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
  collector->WorkAfter(hours(35));
  EXPECT_TRUE(HasBlob("a", "layer")) << "the grace period begins anew";
  collector->WorkAfter(hours(2));
  EXPECT_FALSE(HasBlob("a", "layer"));
}

TEST_F(UndoTest, BringsManifestsBackWithTheirReferences) {
  const std::string run = RemoveImage();
  ASSERT_FALSE(HasManifest("a", kDigest));
  EXPECT_EQ(collector->Undo(run).restored().manifests(), 1u);
  EXPECT_TRUE(HasManifest("a", kDigest));
  ExpectConsistent();
  collector->WorkAfter(hours(100));
  EXPECT_TRUE(HasBlob("a", "layer")) << "the manifest refers to it again";
}

TEST_F(UndoTest, AManifestBringsItsBlobsBackFromTheTrashOfLaterRuns) {
  const std::string run = RemoveImage();
  collector->WorkAfter(hours(37));  // the background removes the blobs
  ASSERT_FALSE(HasBlob("a", "layer"));
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 2u);
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 11u);
  EXPECT_EQ(collector->Undo(run).restored().manifests(), 1u);
  EXPECT_TRUE(HasManifest("a", kDigest));
  EXPECT_TRUE(HasBlob("a", "layer"));
  ExpectConsistent();
  EXPECT_EQ((*collector)->Get()->trash_blobs(), 0u) << "the later run has no blob any more";
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 0u);
  EXPECT_EQ(collector->Undo(collector->LastRun().id()).state(), v1::RUN_STATE_UNDONE);
  collector->WorkAfter(hours(100));
  EXPECT_EQ((*collector)->Get()->trash_bytes(), 0u);
}

TEST_F(UndoTest, DeletionsByClientsCanBeUndoneWithTheirTags) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.PushTagged("a", kBody, {"v2", "moved"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", kDigest).has_value());
  ASSERT_TRUE(store.PushImage("a", "moved", {"config"}).has_value());
  const auto runs = (*collector)->ListRuns({});
  ASSERT_EQ(runs->runs_size(), 1);
  v1::UndoRunRequest request;
  request.set_id(runs->runs(0).id());
  static_cast<void>(collector->Step());
  EXPECT_EQ(CodeOf((*collector)->UndoRun(request, kAdministrator)), ErrorCode::kFailedPrecondition)
      << "the hour is not over";
  store.clock.Advance(hours(1));
  const v1::RunRow undone = collector->Undo(request.id());
  EXPECT_EQ(undone.restored().tags(), 2u);
  EXPECT_EQ(store.PullManifest("a", "v1")->info.digest, Sha256(kBody));
  EXPECT_EQ(store.PullManifest("a", "v2")->info.digest, Sha256(kBody));
  EXPECT_EQ(store.PullManifest("a", "moved")->info.digest, Sha256(ImageManifest({"config"})))
      << "a tag that exists stays as it is";
  EXPECT_EQ(LastWhy("v1"), "undo " + request.id());
  EXPECT_EQ(LastWhy("v2"), "undo " + request.id());
  EXPECT_EQ(LastWhy("moved"), "") << "a client has pushed it";
  ExpectConsistent();
}

TEST_F(UndoTest, AllTagsOfAManifestComeBack) {
  const v1::RunRow undone = collector->Undo(DeleteImageWithManyTags());
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().manifests(), 1u);
  EXPECT_EQ(undone.restored().tags(), kManyTags);
  EXPECT_EQ(undone.not_restored(), 0u);
  EXPECT_EQ(CountRows(store, keys::kTags), kManyTags);
  for (const char* tag : {"v0", "v1", "v1050", "v2099"}) EXPECT_TRUE(HasManifest("a", tag)) << tag;
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

TEST_F(UndoTest, AnUndoThatIsInterruptedBetweenTagsRestoresTheRest) {
  v1::UndoRunRequest request;
  request.set_id(DeleteImageWithManyTags());
  static_cast<void>(collector->Step());  // acquires the lease
  ASSERT_TRUE((*collector)->UndoRun(request, kAdministrator).has_value());
  while (CountRows(store, keys::kTags) == 0) ASSERT_TRUE(collector->Step());
  EXPECT_LT(CountRows(store, keys::kTags), kManyTags);
  collector.reset();  // the process is killed
  store.Reopen();
  collector = std::make_unique<TestCollector>(store);
  collector->WorkAfter(minutes(1));
  EXPECT_EQ(CountRows(store, keys::kTags), kManyTags);
  const v1::RunRow undone = (*collector)->ListRuns({})->runs(0);
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().tags(), kManyTags) << "no tag is counted twice";
  ExpectConsistent();
}

TEST_F(UndoTest, TheRestoreOfOneTagLeavesTheOthersToAnUndo) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.PushTagged("a", kBody, {"v2", "v3"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", kDigest).has_value());
  const TagRestore restore({.meta = *store.meta,
                            .clock = store.clock,
                            .store_clock = store.store_clock,
                            .times = store.times});
  ASSERT_TRUE(
      restore.Run(Repo("a"), *Tag::Parse("v1"), TagRestore::BeforeLastChange(), kAdministrator)
          .has_value());
  EXPECT_FALSE(HasManifest("a", "v2"));
  store.clock.Advance(hours(1));
  EXPECT_EQ(collector->Undo((*collector)->ListRuns({})->runs(0).id()).restored().tags(), 2u);
  EXPECT_TRUE(HasManifest("a", "v2"));
  EXPECT_TRUE(HasManifest("a", "v3"));
  ExpectConsistent();
}

TEST_F(UndoTest, TagsOfTheTrashComeBack) {
  ASSERT_TRUE(store.PushImage("a", "keep", {"config", "layer"}).has_value());
  const std::string run = collector->Run({}).id();
  // As a run of retention writes it.
  const auto remove = [&](MetaTransaction& transaction) -> Result<void> {
    v1::TrashRow row;
    row.mutable_tag()->set_repository("a");
    row.mutable_tag()->set_tag("v1");
    row.mutable_tag()->mutable_row()->set_digest(kDigest);
    return WriteRow(transaction, keys::Trash(run, "tag", "a", "v1"), row);
  };
  ASSERT_TRUE(Transact(*store.meta, remove).has_value());
  EXPECT_EQ(collector->Undo(run).restored().tags(), 1u);
  EXPECT_TRUE(HasManifest("a", "v1"));
  EXPECT_EQ(LastWhy("v1"), "undo " + run);
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

TEST_F(UndoTest, WhatIsPushedAgainIsNotTouched) {
  const std::string run = RemoveImage();
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().manifests(), 0u);
  EXPECT_EQ(undone.not_restored(), 0u);
  EXPECT_TRUE(HasManifest("a", "v1"));
  ExpectConsistent();
}

TEST_F(UndoTest, WhatIsFreedCannotComeBack) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  const std::string run = collector->LastRun().id();
  collector->WorkAfter(hours(25));
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_FREED);
  v1::UndoRunRequest request;
  request.set_id(run);
  const auto undo = (*collector)->UndoRun(request, kAdministrator);
  ASSERT_FALSE(undo.has_value());
  EXPECT_THAT(undo.error().message, testing::HasSubstr("its trash window has ended"));
}

// The blobs are condemned when the manifest goes, and so are in the trash of a later run.
TEST_F(UndoTest, AfterTheTrashWindowAManifestComesBackWithItsTags) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", kDigest).has_value());
  const std::string run = (*collector)->ListRuns({})->runs(0).id();
  const auto row = [&] { return (*collector)->ListRuns({})->runs(0); };
  collector->WorkAfter(hours(1 + 25));
  ASSERT_EQ(row().id(), run);
  EXPECT_EQ(row().freed().tags(), 0u);
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().manifests(), 1u);
  EXPECT_EQ(undone.restored().tags(), 1u);
  EXPECT_EQ(undone.not_restored(), 0u);
  EXPECT_TRUE(HasManifest("a", "v1"));
  ExpectConsistent();
}

TEST_F(UndoTest, TagsLeaveTheTrashWithTheirManifests) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", kDigest).has_value());
  const v1::RunRow run = (*collector)->ListRuns({})->runs(0);
  v1::GetRunRequest request;
  request.set_id(run.id());
  const milliseconds left(run.ended_ms() - store.store_clock.NowMs());
  const auto freed = [&] { return (*collector)->GetRun(request)->freed(); };
  collector->WorkAfter(left + hours(24 + 35));
  EXPECT_EQ(freed().manifests(), 0u);
  EXPECT_EQ(freed().tags(), 0u);
  collector->WorkAfter(hours(2));
  EXPECT_EQ(freed().manifests(), 1u);
  EXPECT_EQ(freed().tags(), 1u);
  EXPECT_EQ((*collector)->GetRun(request)->state(), v1::RUN_STATE_FREED);
}

// At the end of the trash window, the links of a run are freed, but its manifests are not.
TEST_F(UndoTest, WhatIsFreedBeforeTheUndoIsCounted) {
  const std::string run = RemoveImage();
  const auto free_links = [&](MetaTransaction& transaction) -> Result<void> {
    TRY(auto row, LockRow<v1::RunRow>(transaction, keys::Run(run)));
    row->mutable_freed()->set_links(2);
    return WriteRow(transaction, keys::Run(run), *row);
  };
  ASSERT_TRUE(Transact(*store.meta, free_links).has_value());
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().manifests(), 1u);
  EXPECT_EQ(undone.not_restored(), 2u);
}

TEST_F(UndoTest, ALinkThatWasPushedAgainIsNotLost) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  for (const char* blob : {"lost", "again"}) {
    ASSERT_TRUE(store.PushBlob("a", blob).has_value());
    ASSERT_TRUE(store.DeleteBlob("a", blob).has_value());
  }
  ASSERT_TRUE(store.DeleteManifest("a", kDigest).has_value());
  const std::string run = (*collector)->ListRuns({})->runs(0).id();
  ASSERT_TRUE(store.PushBlob("a", "again").has_value());
  collector->WorkAfter(hours(1 + 25));
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().manifests(), 1u);
  EXPECT_EQ(undone.not_restored(), 1u) << "only the other blob";
}

// Another client has removed so many children of an index that no restore brings it back.
TEST_F(UndoTest, AManifestThatNeedsTooMuchKeepsNothingElseAway) {
  constexpr size_t kChildren = 1001;
  ASSERT_TRUE(store.PushImage("b", "v1", {"config"}).has_value());
  std::vector<std::string> children;
  for (size_t i = 0; i < kChildren; ++i) {
    children.push_back(
        ImageManifest({"config"}, R"(,"annotations":{"n":")" + std::to_string(i) + "\"}"));
    ASSERT_TRUE(store.PushTagged("b", children.back(), {}).has_value());
  }
  ASSERT_TRUE(store.PushTagged("b", IndexManifest(children), {}).has_value());
  for (const std::string& child : children) {
    ASSERT_TRUE(store.DeleteManifest("b", Sha256(child).ToString()).has_value());
  }
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store.DeleteManifest("a", "v1").has_value());
  store.clock.Advance(hours(37));
  const v1::RunRow run = collector->RunUntagged();
  ASSERT_EQ(run.removed().manifests(), 2u);
  const v1::RunRow undone = collector->Undo(run.id());
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().manifests(), 1u);
  EXPECT_EQ(undone.not_restored(), 1u);
  EXPECT_TRUE(HasManifest("a", kDigest));
}

TEST_F(UndoTest, AManifestWhoseBytesAreGoneIsCounted) {
  const std::string run = RemoveImage();
  const auto lose = [&](MetaTransaction& transaction) {
    return transaction.Delete(keys::Content(Sha256(kBody)));
  };
  ASSERT_TRUE(Transact(*store.meta, lose).has_value());
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(undone.restored().manifests(), 0u);
  EXPECT_EQ(undone.not_restored(), 1u);
}

// The index waits for a second pass, because it comes before its child in the trash.
TEST_F(UndoTest, ALostManifestIsCountedOnceInSeveralPasses) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
  const std::string child = ImageManifest({"config"});
  std::string index = IndexManifest({child});
  for (int i = 0; Sha256(index).ToString() > Sha256(child).ToString(); ++i) {
    index = IndexManifest({child});
    index.insert(index.size() - 1, R"(,"annotations":{"n":")" + std::to_string(i) + "\"}");
  }
  for (const std::string& body : {child, index}) {
    ASSERT_TRUE(store.PushTagged("a", body, {}).has_value());
  }
  for (const std::string& body : {index, child, kBody}) {
    ASSERT_TRUE(store.DeleteManifest("a", Sha256(body).ToString()).has_value());
  }
  const std::string run = (*collector)->ListRuns({})->runs(0).id();
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return transaction.Delete(keys::Content(Sha256(kBody)));
              }).has_value());
  store.clock.Advance(hours(1));
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().manifests(), 2u);
  EXPECT_EQ(undone.not_restored(), 2u) << "the manifest and its tag";
}

TEST_F(UndoTest, APausedCollectorStillRestores) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  const std::string run = collector->LastRun().id();
  collector->Pause();
  EXPECT_EQ(collector->Undo(run).state(), v1::RUN_STATE_UNDONE);
  EXPECT_TRUE(HasBlob("a", "layer"));
}

TEST_F(UndoTest, APauseEndsTheBackgroundRunSoThatItCanBeUndone) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(store.PushBlob("a", std::to_string(i)).has_value());
  store.clock.Advance(hours(37));
  ASSERT_TRUE(collector->Step());
  ASSERT_EQ(collector->LastRun().state(), v1::RUN_STATE_RUNNING);
  collector->Pause();
  EXPECT_EQ(collector->Undo(collector->LastRun().id()).state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(CountRows(store, keys::kLinks), 100u);
  ExpectConsistent();
}

TEST_F(UndoTest, ARunIsUndoneOnce) {
  ASSERT_TRUE(store.PushBlob("a", "layer").has_value());
  collector->WorkAfter(hours(37));
  v1::UndoRunRequest request;
  request.set_id(collector->LastRun().id());
  EXPECT_EQ(collector->Undo(request.id()).restored().links(), 1u);
  const uint64_t entries = store.meta->AuditHead()->sequence;
  const auto again = (*collector)->UndoRun(request, kAdministrator);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kFailedPrecondition);
  EXPECT_THAT(again.error().message, testing::HasSubstr("root has already undone it"));
  EXPECT_EQ(store.meta->AuditHead()->sequence, entries);
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_UNDONE);
  EXPECT_TRUE(HasBlob("a", "layer"));
}

TEST_F(UndoTest, WhatWasNotRestoredCanBeTriedAgain) {
  const std::string run = RemoveImage();
  const std::string key = keys::Content(Sha256(kBody));
  const std::string body = store.meta->Get(key)->value();
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return transaction.Delete(key);
              }).has_value());
  EXPECT_EQ(collector->Undo(run).not_restored(), 1u);
  ASSERT_TRUE(Transact(*store.meta, [&](MetaTransaction& transaction) {
                return transaction.Put(key, body);
              }).has_value());
  const v1::RunRow again = collector->Undo(run);
  EXPECT_EQ(again.restored().manifests(), 1u);
  EXPECT_EQ(again.not_restored(), 0u);
  EXPECT_TRUE(HasManifest("a", kDigest));
}

}  // namespace
}  // namespace outport::store
