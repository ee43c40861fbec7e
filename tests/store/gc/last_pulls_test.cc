#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;

// What becomes of the last pull of content that goes, and that comes back.
class LastPullsTest : public CollectorTest {
 protected:
  LastPullsTest() {
    EXPECT_TRUE(store.PushImage("a", "v1", {"config", "shared"}).has_value());
    store.clock.Advance(hours(24));
  }
  // Pulls by a client of the node. Returns the time.
  int64_t Pull(const std::string& reference, const std::string& node = "eu-west") {
    const int64_t now_ms = store.store_clock.NowMs();
    const auto written = WritePulls(*store.meta, {{Repo("a"), Ref(reference), now_ms}}, node,
                                    MetaTransaction::Durability::kSynced);
    EXPECT_TRUE(written.has_value() && written->rows == 1u) << reference;
    return now_ms;
  }
  // The text "time node" of the row; empty: there is none.
  std::string LastPullOf(const std::string& reference) {
    const auto row = FindPull(*store.meta, Repo("a"), Ref(reference));
    EXPECT_TRUE(row.has_value());
    if (!row.has_value() || !row->has_value()) return {};
    return Text((*row)->last_ms(), (*row)->node());
  }
  static std::string Text(int64_t time_ms, const std::string& node) {
    return std::to_string(time_ms) + " " + node;
  }
  v1::LinkRow Link(const std::string& bytes) {
    const auto row = ReadRow<v1::LinkRow>(*store.meta, keys::Link(Repo("a"), Sha256(bytes)));
    EXPECT_TRUE(row.has_value() && row->has_value()) << bytes;
    return row.has_value() ? row->value_or(v1::LinkRow()) : v1::LinkRow();
  }
  // Deletes the image as a client does. Returns the run that an administrator can undo.
  std::string DeleteImage() {
    EXPECT_TRUE(store.DeleteManifest("a", kDigest).has_value());
    EXPECT_EQ(LastPullOf("v1"), "");
    EXPECT_EQ(LastPullOf(kDigest), "");
    store.clock.Advance(hours(1));
    return (*collector)->ListRuns({})->runs(0).id();
  }
  const std::string kDigest = Sha256(ImageManifest({"config", "shared"})).ToString();
};

TEST_F(LastPullsTest, AnUndoBringsThePullsOfTagsAndManifestsBack) {
  const int64_t by_tag_ms = Pull("v1");
  store.clock.Advance(hours(2));
  const int64_t by_digest_ms = Pull(kDigest, "us-east");
  EXPECT_EQ(collector->Undo(DeleteImage()).state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(LastPullOf("v1"), Text(by_tag_ms, "eu-west"));
  EXPECT_EQ(LastPullOf(kDigest), Text(by_digest_ms, "us-east"));
}

TEST_F(LastPullsTest, AnUndoReplacesNoNewerPull) {
  Pull("v1");
  Pull(kDigest);
  const std::string run = DeleteImage();
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "shared"}).has_value());
  const int64_t newer_ms = Pull("v1", "us-east");
  Pull(kDigest, "us-east");
  EXPECT_EQ(collector->Undo(run).state(), v1::RUN_STATE_UNDONE);
  EXPECT_EQ(LastPullOf("v1"), Text(newer_ms, "us-east"));
  EXPECT_EQ(LastPullOf(kDigest), Text(newer_ms, "us-east"));
}

TEST_F(LastPullsTest, APushBringsThePullsOfTheManifestBack) {
  Pull("v1");
  const int64_t by_digest_ms = Pull(kDigest);
  DeleteImage();
  ASSERT_TRUE(store.PushImage("a", "v1", {"config", "shared"}).has_value());
  EXPECT_EQ(LastPullOf("v1"), "") << "the tag is a new one";
  EXPECT_EQ(LastPullOf(kDigest), Text(by_digest_ms, "eu-west"));
}

TEST_F(LastPullsTest, ThePlanShowsTheLastPullOfTheManifestThatTheLinkLost) {
  Pull(kDigest, "us-east");
  store.clock.Advance(hours(2));
  const int64_t last_ms = Pull("v1");
  ASSERT_TRUE(store.PushImage("a", "v2", {"shared"}).has_value());
  DeleteImage();
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  ASSERT_EQ(plan.items_size(), 1) << "v2 refers to the other blob";
  EXPECT_EQ(plan.items(0).kind(), "link");
  EXPECT_EQ(plan.items(0).last_pulled_ms(), last_ms);
  EXPECT_EQ(plan.items(0).last_pulled_at(), "eu-west");
  EXPECT_EQ(plan.recently_pulled(), 1u);
  EXPECT_EQ(plan.last_pulled_ms(), last_ms);
  EXPECT_EQ(plan.last_pulled_at(), "eu-west");
  EXPECT_EQ(Link("shared").pulled_ms(), 0) << "it is not condemned";
  ExpectConsistent();
}

TEST_F(LastPullsTest, AnUndoBringsThePullOfALinkBack) {
  const int64_t last_ms = Pull(kDigest);
  DeleteImage();
  collector->WorkAfter(hours(37));
  ASSERT_FALSE(HasBlob("a", "config"));
  ASSERT_EQ(collector->Undo(collector->LastRun().id()).restored().links(), 2u);
  EXPECT_EQ(Link("config").pulled_ms(), last_ms);
  EXPECT_EQ(Link("config").pulled_at(), "eu-west");
  store.clock.Advance(hours(37));
  EXPECT_EQ(collector->Plan().last_pulled_ms(), last_ms);
  ASSERT_TRUE(store.PushManifest("a", "v2", ImageManifest({"config"})).has_value());
  EXPECT_EQ(Link("config").pulled_ms(), 0) << "it is no longer condemned";
}

// The store has never heard of a pull.
TEST_F(LastPullsTest, AnUndoInventsNoPullOfALink) {
  DeleteImage();
  collector->WorkAfter(hours(37));
  ASSERT_EQ(collector->Undo(collector->LastRun().id()).restored().links(), 2u);
  EXPECT_EQ(Link("config").pulled_ms(), 0);
}

TEST_F(LastPullsTest, ALinkThatIsReferencedAgainForgetsThePull) {
  const int64_t last_ms = Pull(kDigest);
  DeleteImage();
  EXPECT_EQ(Link("config").pulled_ms(), last_ms);
  EXPECT_EQ(Link("config").pulled_at(), "eu-west");
  ASSERT_TRUE(store.PushManifest("a", "v2", ImageManifest({"config"})).has_value());
  EXPECT_EQ(Link("config").pulled_ms(), 0);
  EXPECT_EQ(Link("config").pulled_at(), "");
  ASSERT_TRUE(store.DeleteManifest("a", Sha256(ImageManifest({"config"})).ToString()).has_value());
  EXPECT_EQ(Link("config").pulled_ms(), 0) << "nobody has pulled v2";
}

}  // namespace
}  // namespace outport::store
