#include "store/content/links.h"

#include <gmock/gmock.h>

#include "registry/records/rows.h"
#include "tests/store/content/content_fixture.h"
#include "tests/store/content/index_check.h"
#include "tests/support/rights.h"

namespace outport::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class LinksTest : public testing::Test {
 protected:
  ~LinksTest() override { EXPECT_THAT(ProblemsOfIndexes(*store_.meta), IsEmpty()); }
  v1::LinkRow Link(const std::string& repository, const std::string& bytes) {
    return **ReadRow<v1::LinkRow>(*store_.meta, keys::Link(Repo(repository), Sha256(bytes)));
  }
  static Visible Only(const std::string& name) {
    return [name](const RepositoryName& repository) { return repository.ToString() == name; };
  }
  TestContent store_;
};

TEST_F(LinksTest, AMountedBlobIsThereWithoutItsBytesBeingSent) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  const auto mounted = store_.Mount("b", "layer", "a");
  ASSERT_TRUE(mounted.has_value()) << mounted.error().message;
  EXPECT_EQ(mounted->info.digest, Sha256("layer"));
  EXPECT_EQ(mounted->info.size_bytes, 5u);
  EXPECT_EQ(mounted->sequence, store_.Head());
  store_.Reopen();
  EXPECT_EQ(*store_.PullBlob("b", Sha256("layer")), "layer");
  EXPECT_EQ(store_.Files("blobs").size(), 1u);
}

TEST_F(LinksTest, MountingAgainOrFromItselfChangesNothing) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store_.Mount("b", "layer", "a").has_value());
  const uint64_t head = store_.Head();
  EXPECT_TRUE(store_.Mount("b", "layer", "a").has_value());
  EXPECT_TRUE(store_.Mount("b", "layer", "b").has_value());
  EXPECT_TRUE(store_.Mount("b", "layer", "").has_value());
  EXPECT_EQ(store_.Head(), head);
}

TEST_F(LinksTest, WithoutASourceAnyThatMayBePulledWillDo) {
  for (const char* name : {"a", "m/x", "z"}) {
    ASSERT_TRUE(store_.PushBlob(name, "layer").has_value());
  }
  EXPECT_TRUE(store_.Mount("b", "layer", "", Only("m/x")).has_value());
  EXPECT_EQ(*store_.PullBlob("b", Sha256("layer")), "layer");
}

TEST_F(LinksTest, ASourceIsSearchedWhereTheGrantsAllow) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store_.Mount("z", "layer", "a").has_value());
  const Rights rights = RightsWith({"pull:team/**"});
  EXPECT_EQ(CodeOf(store_.Mount("b", "layer", "", VisibleTo(rights))), ErrorCode::kBlobUnknown);
  ASSERT_TRUE(store_.PushBlob("team/app", "layer").has_value());
  EXPECT_TRUE(store_.Mount("b", "layer", "", VisibleTo(rights)).has_value());
}

// A caller cannot mount a blob that it may not pull, and does not learn that the blob exists.
TEST_F(LinksTest, I6NothingIsMountedThatTheCallerMayNotPull) {
  ASSERT_TRUE(store_.PushBlob("secret", "layer").has_value());
  const auto refused = store_.Mount("b", "layer", "secret", Only("b"));
  ASSERT_EQ(CodeOf(refused), ErrorCode::kBlobUnknown);
  const auto anywhere = store_.Mount("b", "layer", "", Only("b"));
  ASSERT_EQ(CodeOf(anywhere), ErrorCode::kBlobUnknown);
  const auto absent = store_.Mount("b", "none", "secret", Only("b"));
  ASSERT_EQ(CodeOf(absent), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.PullBlob("b", Sha256("layer"))), ErrorCode::kNameUnknown);
  std::string same = absent.error().message;
  same.replace(same.find(Sha256("none").ToString()), Sha256("none").ToString().size(),
               Sha256("layer").ToString());
  EXPECT_EQ(refused.error().message, same);
  EXPECT_EQ(anywhere.error().message, same);
}

TEST_F(LinksTest, ABlobThatCannotBeMountedMustBePushed) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  EXPECT_EQ(CodeOf(store_.Mount("b", "other", "a")), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.Mount("b", "layer", "none")), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.PullBlob("b", Sha256("layer"))), ErrorCode::kNameUnknown);
}

TEST_F(LinksTest, AMountRenewsTheLease) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store_.Mount("b", "layer", "a").has_value());
  const v1::LinkRow first = Link("b", "layer");
  EXPECT_EQ(first.condemned_ms(), store_.store_clock.NowMs());
  store_.clock.Advance(std::chrono::minutes(50));
  ASSERT_TRUE(store_.Mount("b", "layer", "a").has_value());
  EXPECT_EQ(Link("b", "layer").lease_until_ms(), first.lease_until_ms() + 50 * 60 * 1000);
}

TEST_F(LinksTest, ADeletedBlobLeavesThisRepositoryAlone) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  ASSERT_TRUE(store_.PushBlob("b", "layer").has_value());
  const auto deleted = store_.DeleteBlob("a", "layer");
  ASSERT_TRUE(deleted.has_value()) << deleted.error().message;
  EXPECT_EQ(deleted->sequence, store_.Head());
  store_.Reopen();
  EXPECT_EQ(CodeOf(store_.PullBlob("a", Sha256("layer"))), ErrorCode::kBlobUnknown);
  EXPECT_EQ(*store_.PullBlob("b", Sha256("layer")), "layer");
  EXPECT_EQ(CodeOf(store_.Mount("c", "layer", "a")), ErrorCode::kBlobUnknown);
  // It can be pushed and linked again.
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  EXPECT_EQ(*store_.PullBlob("a", Sha256("layer")), "layer");
}

TEST_F(LinksTest, DeletingAnUnknownBlobFails) {
  ASSERT_TRUE(store_.PushBlob("a", "layer").has_value());
  EXPECT_EQ(CodeOf(store_.DeleteBlob("a", "other")), ErrorCode::kBlobUnknown);
  EXPECT_EQ(CodeOf(store_.DeleteBlob("none", "layer")), ErrorCode::kNameUnknown);
  ASSERT_TRUE(store_.DeleteBlob("a", "layer").has_value());
  EXPECT_EQ(CodeOf(store_.DeleteBlob("a", "layer")), ErrorCode::kBlobUnknown);
}

TEST_F(LinksTest, ABlobThatAManifestNeedsIsKept) {
  ASSERT_TRUE(store_.PushImage("a", "v1", {"config", "layer"}).has_value());
  ASSERT_TRUE(store_.PushBlob("b", "layer").has_value());
  const std::string manifest = Sha256(ImageManifest({"config", "layer"})).ToString();
  const auto refused = store_.DeleteBlob("a", "layer");
  ASSERT_EQ(CodeOf(refused), ErrorCode::kUnsupported);
  EXPECT_THAT(refused.error().message, HasSubstr(manifest));
  EXPECT_TRUE(store_.DeleteBlob("b", "layer").has_value()) << "no manifest of that repository";
  // An untagged manifest needs it, too.
  ASSERT_TRUE(store_.DeleteManifest("a", "v1").has_value());
  EXPECT_EQ(CodeOf(store_.DeleteBlob("a", "layer")), ErrorCode::kUnsupported);
  ASSERT_TRUE(store_.DeleteManifest("a", manifest).has_value());
  EXPECT_TRUE(store_.DeleteBlob("a", "layer").has_value());
}

}  // namespace
}  // namespace outport::store
