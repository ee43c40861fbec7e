#include "store/content/referrers.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ReferrersTest : public testing::Test {
 protected:
  ReferrersTest() { EXPECT_TRUE(store_.PushBlob("a", "config").has_value()); }

  // A manifest that refers to "subject", with these additional members.
  Digest Push(const std::string& members, const std::string& repository = "a") {
    const std::string body = ImageManifest({"config"}, SubjectJson(subject_) + members);
    const auto pushed = store_.PushManifest(repository, Sha256(body).ToString(), body);
    EXPECT_TRUE(pushed.has_value()) << pushed.error().message;
    return Sha256(body);
  }
  ReferrersPage List(const std::string& type = "", const PageRequest& page = {"", 100}) {
    const auto listed = store_.content->referrers.List(Repo("a"), subject_, type, page);
    EXPECT_TRUE(listed.has_value());
    return listed.value_or(ReferrersPage());
  }

  TestContent store_;
  const Digest subject_ = Sha256("subject");
};

TEST_F(ReferrersTest, AreListedAsTheyWerePushed) {
  const Digest digest = Push(R"(,"artifactType":"application/x","annotations":{"b":"2","a":"1"})");
  const ReferrersPage page = List();
  ASSERT_EQ(page.items.size(), 1u);
  const ReferrerInfo& info = page.items[0];
  EXPECT_EQ(info.digest, digest);
  EXPECT_EQ(info.media_type, media_type::kOciManifest);
  EXPECT_EQ(info.size_bytes, store_.PullManifest("a", digest.ToString())->body.size());
  EXPECT_EQ(info.artifact_type, "application/x");
  EXPECT_THAT(info.annotations, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(page.next, "");
}

TEST_F(ReferrersTest, WithoutAnArtifactTypeAnImageHasItsConfigsAndAnIndexNone) {
  Push("");
  EXPECT_EQ(List().items.at(0).artifact_type, "application/vnd.oci.image.config.v1+json");
  std::string index = IndexManifest({});
  index.insert(index.size() - 1, SubjectJson(subject_));
  ASSERT_TRUE(store_.PushManifest("a", "index", index).has_value());
  const ReferrersPage page = List();
  const auto found = std::ranges::find(page.items, Sha256(index), &ReferrerInfo::digest);
  ASSERT_NE(found, page.items.end());
  EXPECT_EQ(found->artifact_type, "");
  EXPECT_EQ(found->media_type, media_type::kOciIndex);
}

TEST_F(ReferrersTest, ComeInOrderByTypeAndInPages) {
  std::vector<std::string> all;
  for (int i = 0; i < 7; ++i) {
    const std::string type = i % 2 == 0 ? "even" : "odd";
    all.push_back(Push(R"(,"artifactType":")" + type + R"(","annotations":{"n":")" +
                       std::to_string(i) + "\"}")
                      .ToString());
  }
  std::ranges::sort(all);
  std::vector<std::string> listed;
  for (PageRequest request{.last = "", .limit = 3};;) {
    const ReferrersPage page = List("", request);
    for (const ReferrerInfo& info : page.items) listed.push_back(info.digest.ToString());
    if (page.next.empty()) break;
    EXPECT_EQ(page.items.size(), 3u);
    request.last = page.next;
  }
  EXPECT_EQ(listed, all);
  EXPECT_EQ(List("even").items.size(), 4u);
  EXPECT_EQ(List("odd").items.size(), 3u);
  EXPECT_THAT(List("none").items, IsEmpty());
}

TEST_F(ReferrersTest, LargeOnesComeOnPagesOfTheirOwn) {
  for (const char* name : {"x", "y", "z"}) {
    Push(R"(,"annotations":{")" + std::string(name) + R"(":")" + std::string(3 << 20, 'v') + "\"}");
  }
  size_t pages = 0;
  for (PageRequest request{.last = "", .limit = 100};; ++pages) {
    const ReferrersPage page = List("", request);
    EXPECT_EQ(page.items.size(), 1u);
    if (page.next.empty()) break;
    request.last = page.next;
  }
  EXPECT_EQ(pages, 2u);
}

TEST_F(ReferrersTest, OtherRepositoriesAndSubjectsHaveTheirOwn) {
  ASSERT_TRUE(store_.PushBlob("b", "config").has_value());
  const Digest digest = Push("", "b");
  EXPECT_THAT(List().items, IsEmpty());
  EXPECT_THAT(store_.Referrers("b", subject_), ElementsAre(digest));
  EXPECT_THAT(store_.Referrers("b", Sha256("other")), IsEmpty());
  EXPECT_THAT(store_.Referrers("none", subject_), IsEmpty());
}

}  // namespace
}  // namespace outport::store
