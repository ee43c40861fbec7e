#include "store/gc/freed_bytes.h"

#include "store/gc/paged_plan.h"
#include "tests/store/gc/collector_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;

const std::string kChild = ImageManifest({"config", "layer"});
const std::string kOther = ImageManifest({"config", "other layer"});
const std::string kIndex = IndexManifest({kChild, kOther});

class FreedBytesTest : public CollectorTest {
 protected:
  FreedBytesTest() { collector->StepAndPause(); }
  void PushIndex(const std::string& repository) {
    for (const char* blob : {"config", "layer", "other layer"}) {
      ASSERT_TRUE(store.PushBlob(repository, blob).has_value());
    }
    for (const std::string& body : {kChild, kOther, kIndex}) {
      ASSERT_TRUE(store.PushManifest(repository, Sha256(body).ToString(), body).has_value());
    }
  }
  // Returns the plan for untagged manifests after the grace period, with these limits.
  Plan PlanWith(const FreedBytes::Limits& limits) {
    const auto view = store.meta->Snapshot();
    v1::PlanOptions options;
    options.set_delete_untagged(true);
    return *Planner(*view, store.times, options, store.store_clock.NowMs(), limits).Make({});
  }
};

TEST_F(FreedBytesTest, AnIndexFreesItsChildrenLater) {
  PushIndex("a");
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan(true);
  ASSERT_EQ(plan.items_size(), 1) << "the index keeps its children";
  const uint64_t blobs = std::string("configlayerother layer").size();
  EXPECT_EQ(plan.freed_later_bytes(), kChild.size() + kOther.size() + blobs);
  EXPECT_EQ(plan.items(0).freed_bytes(), plan.freed_later_bytes() + kIndex.size());
  EXPECT_FALSE(plan.freed_is_minimum());
}

TEST_F(FreedBytesTest, AChildWithATagOrAnotherIndexStays) {
  PushIndex("a");
  ASSERT_TRUE(store.PushManifest("a", "v1", kOther).has_value());
  store.clock.Advance(hours(37));
  EXPECT_EQ(collector->Plan(true).freed_later_bytes(), kChild.size() + std::string("layer").size());
  ASSERT_TRUE(store.PushManifest("a", "v2", IndexManifest({kChild})).has_value());
  EXPECT_EQ(collector->Plan(true).freed_later_bytes(), 0u);
}

TEST_F(FreedBytesTest, AChildThatTwoPlannedIndexesListGoesOnce) {
  PushIndex("a");
  const std::string outer = IndexManifest({kChild});
  ASSERT_TRUE(store.PushManifest("a", Sha256(outer).ToString(), outer).has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan(true);
  ASSERT_EQ(plan.items_size(), 2);
  const uint64_t blobs = std::string("configlayerother layer").size();
  EXPECT_EQ(plan.freed_later_bytes(), kChild.size() + kOther.size() + blobs);
}

TEST_F(FreedBytesTest, ContentThatAnotherRepositoryKeepsIsNotFreed) {
  PushIndex("a");
  PushIndex("b");
  ASSERT_TRUE(store.PushManifest("b", "v1", kIndex).has_value());
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan(true);
  ASSERT_EQ(plan.items_size(), 1);
  EXPECT_EQ(plan.freed_bytes(), 0u);
}

TEST_F(FreedBytesTest, ManyRepositoriesMayShareABlob) {
  constexpr int kRepositories = 150;
  for (int i = 0; i < kRepositories; ++i) {
    ASSERT_TRUE(store.PushBlob("r" + std::to_string(i), "shared").has_value());
  }
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan();
  EXPECT_EQ(plan.counts().links(), static_cast<uint64_t>(kRepositories));
  EXPECT_EQ(plan.counts().blobs(), 1u);
  EXPECT_EQ(plan.freed_bytes(), 6u);
  EXPECT_FALSE(plan.freed_is_minimum());
  const Plan limited = PlanWith({.rows = 0});
  EXPECT_EQ(limited.freed_bytes, 0u);
  EXPECT_TRUE(limited.freed_is_minimum);
  EXPECT_TRUE(PagedPlan(limited).Page(0, 1).freed_is_minimum());
}

TEST_F(FreedBytesTest, ManyManifestsMayShareALayer) {
  constexpr int kManifests = 120;
  for (const char* blob : {"config", "base"}) {
    ASSERT_TRUE(store.PushBlob("a", blob).has_value());
  }
  for (int i = 0; i < kManifests; ++i) {
    const std::string body =
        ImageManifest({"config", "base"}, R"(,"annotations":{"n":")" + std::to_string(i) + "\"}");
    ASSERT_TRUE(store.PushManifest("a", Sha256(body).ToString(), body).has_value());
  }
  store.clock.Advance(hours(37));
  const v1::GetPlanResponse plan = collector->Plan(true);
  EXPECT_EQ(plan.counts().manifests(), static_cast<uint64_t>(kManifests));
  EXPECT_EQ(plan.freed_later_bytes(), std::string("configbase").size());
}

TEST_F(FreedBytesTest, TheNumberOfManifestsHasALimit) {
  PushIndex("a");
  store.clock.Advance(hours(37));
  const Plan limited = PlanWith({.manifests = 2});
  EXPECT_TRUE(limited.freed_is_minimum);
  EXPECT_LT(limited.freed_bytes, PlanWith({}).freed_bytes);
  EXPECT_FALSE(PlanWith({.manifests = 3}).freed_is_minimum);
}

// For retention: a manifest goes only if all its tags go.
TEST_F(FreedBytesTest, AManifestGoesWithItsLastTag) {
  ASSERT_TRUE(store.PushImage("a", "v1", {"config"}).has_value());
  const std::string body = ImageManifest({"config"});
  ASSERT_TRUE(store.PushManifest("a", "v2", body).has_value());
  const auto view = store.meta->Snapshot();
  const auto bytes = [&](const std::vector<std::string>& tags) {
    FreedBytes freed(*view);
    for (const std::string& tag : tags) freed.AddTag({Repo("a"), Sha256(body)}, *Tag::Parse(tag));
    const auto counted = freed.Count();
    EXPECT_EQ(counted->size(), tags.size());
    return counted->front().bytes();
  };
  EXPECT_EQ(bytes({"v1"}), 0u);
  EXPECT_EQ(bytes({"v1", "v2"}), body.size() + 6);
}

TEST_F(FreedBytesTest, ManyTagsOnAManifestReachTheLimit) {
  ASSERT_TRUE(store.PushImage("a", "v0", {"config"}).has_value());
  const std::string body = ImageManifest({"config"});
  for (int i = 1; i < 20; ++i) {
    ASSERT_TRUE(store.PushManifest("a", "v" + std::to_string(i), body).has_value());
  }
  const auto view = store.meta->Snapshot();
  for (const uint64_t rows : {uint64_t{0}, uint64_t{1}}) {
    FreedBytes freed(*view, {.rows = rows});
    for (int i = 0; i < 20; ++i) {
      freed.AddTag({Repo("a"), Sha256(body)}, *Tag::Parse("v" + std::to_string(i)));
    }
    const auto counted = freed.Count();
    EXPECT_EQ(freed.is_minimum(), rows == 0);
    EXPECT_EQ(counted->front().bytes() > 0, rows > 0);
  }
}

}  // namespace
}  // namespace outport::store
