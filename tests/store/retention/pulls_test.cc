#include "store/content/pulls.h"

#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;

TEST_F(RetentionTest, APulledTagThatAnUndoBringsBackStays) {
  Apply(
      "policies:\n"
      "  - {name: ci, repositories: [ci/app], keep: [{tags: .*, pulled_within: 30d}]}\n");
  Push("ci/app", {"1"});
  store.clock.Advance(hours(24 * 90));
  Pull("ci/app", "1");
  store.clock.Advance(hours(24));
  const Digest digest = Sha256(ImageManifest({"layer of ci/app1"}));
  ASSERT_TRUE(store.DeleteManifest("ci/app", digest.ToString()).has_value());
  store.clock.Advance(hours(1));
  const auto runs = (*collector)->ListRuns({});
  ASSERT_EQ(runs->runs_size(), 1);
  ASSERT_EQ(collector->Undo(runs->runs(0).id()).restored().tags(), 1u);
  EXPECT_EQ(Run().removed().tags(), 0u);
  EXPECT_TRUE(HasManifest("ci/app", "1"));
}

}  // namespace
}  // namespace outport::store
