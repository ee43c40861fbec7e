#include "registry/records/rows.h"
#include "store/content/tag_restore.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

// A tag went with its manifest, came back, and was deleted on purpose.
class UndoTagsTest : public CollectorTest {
 protected:
  // Deletes the image by its digest, with its tags. Returns the run that has it.
  std::string DeleteImage() {
    EXPECT_TRUE(store.PushImage("a", "v1", {"config", "layer"}).has_value());
    EXPECT_TRUE(store.PushTagged("a", kBody, {"v2"}).has_value());
    store.clock.Advance(minutes(1));
    Delete(kDigest);
    return (*collector)->ListRuns({})->runs(0).id();
  }
  void Delete(const std::string& reference) {
    const auto deleted = store.DeleteManifest("a", reference);
    ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
    store.clock.Advance(minutes(1));
  }
  void Restore(const std::string& tag) {
    const TagRestore restore({.meta = *store.meta,
                              .clock = store.clock,
                              .store_clock = store.store_clock,
                              .times = store.times});
    const auto restored =
        restore.Run(Repo("a"), *Tag::Parse(tag), TagRestore::BeforeLastChange(), kAdministrator);
    ASSERT_TRUE(restored.has_value()) << restored.error().message;
    store.clock.Advance(minutes(1));
  }
  const std::string kBody = ImageManifest({"config", "layer"});
  const std::string kDigest = Sha256(kBody).ToString();
};

TEST_F(UndoTagsTest, ATagThatWasRestoredAndThenDeletedStaysDeleted) {
  const std::string run = DeleteImage();
  Restore("v1");
  Delete("v1");
  store.clock.Advance(hours(1));
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().tags(), 1u);
  EXPECT_EQ(undone.not_restored(), 0u);
  EXPECT_FALSE(HasManifest("a", "v1"));
  EXPECT_TRUE(HasManifest("a", "v2")) << "nobody has decided about it since";
  EXPECT_EQ(CountRows(store, keys::kTrash), 0u);
  ExpectConsistent();
}

TEST_F(UndoTagsTest, ATagThatWasPushedAgainAndThenDeletedStaysDeleted) {
  const std::string run = DeleteImage();
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  store.clock.Advance(minutes(1));
  Delete("v1");
  store.clock.Advance(hours(1));
  EXPECT_EQ(collector->Undo(run).restored().tags(), 1u);
  EXPECT_FALSE(HasManifest("a", "v1"));
  ExpectConsistent();
}

TEST_F(UndoTagsTest, AManifestOfWhichAllTagsWereDeletedLaterStaysAway) {
  const std::string run = DeleteImage();
  for (const char* tag : {"v1", "v2"}) {
    Restore(tag);
    Delete(tag);
  }
  store.clock.Advance(hours(1));
  Delete(kDigest);  // in the run of another hour
  const v1::RunRow undone = collector->Undo(run);
  EXPECT_EQ(undone.restored().tags(), 0u);
  EXPECT_EQ(undone.restored().manifests(), 0u);
  EXPECT_FALSE(HasManifest("a", kDigest));
  ExpectConsistent();
}

}  // namespace
}  // namespace outport::store
