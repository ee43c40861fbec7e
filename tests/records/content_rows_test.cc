#include "registry/records/content_rows.h"

#include <gtest/gtest.h>

#include <map>

#include "registry/records/keys.h"
#include "tests/support/memory_meta_store.h"

namespace outport {
namespace {

RepositoryName Repo(const std::string& name) { return *RepositoryName::Parse(name); }
Reference Ref(const std::string& text) { return *ParseReference(text); }
Digest DigestOf(const std::string& name) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(name));
}

// The repository "app" has the manifest "image" with the tags "v1" and "v2", its referrer
// "signature", and the blob "layer". The repository "empty" has nothing.
// The parameter is the prefix of all keys: a store has none, a node has one a generation.
class ContentRowsTest : public testing::TestWithParam<std::string> {
 protected:
  ContentRowsTest() {
    Put(keys::Repository(Repo("app")), v1::RepositoryRow());
    Put(keys::Repository(Repo("empty")), v1::RepositoryRow());
    v1::TagRow tag;
    tag.set_digest(DigestOf("image").ToString());
    tag.set_media_type("m");
    tag.set_size_bytes(5);
    Put(keys::TagOf(Repo("app"), *Tag::Parse("v1")), tag);
    Put(keys::TagOf(Repo("app"), *Tag::Parse("v2")), tag);
    v1::ManifestRow manifest;
    manifest.set_media_type("m");
    manifest.set_size_bytes(5);
    Put(keys::ManifestOf(Repo("app"), DigestOf("image")), manifest);
    v1::LinkRow link;
    link.set_size_bytes(7);
    Put(keys::Link(Repo("app"), DigestOf("layer")), link);
    v1::ReferrerRow referrer;
    referrer.set_media_type("m");
    referrer.set_size_bytes(9);
    referrer.set_artifact_type("signature");
    referrer.add_annotations()->set_key("k");
    referrer.mutable_annotations(0)->set_value("v");
    Put(keys::Referrer(Repo("app"), DigestOf("image"), DigestOf("signature")), referrer);
    // Rows of another generation, and of repositories with similar names, are no answer.
    PutText("g/other/" + keys::TagOf(Repo("app"), *Tag::Parse("v3")), "");
    Put(keys::TagOf(Repo("app/sub"), *Tag::Parse("v4")), tag);
  }

  template <class Row>
  void Put(const std::string& key, const Row& row) {
    PutText(GetParam() + key, row.SerializeAsString());
  }
  void PutText(const std::string& key, const std::string& value) {
    const auto transaction = meta_.Begin();
    EXPECT_TRUE(transaction->Put(key, value).has_value());
    EXPECT_TRUE(transaction->Commit().has_value());
  }

  MemoryMetaStore meta_;
  ContentRows rows_{meta_, GetParam()};
};

struct ResolveCase {
  const char* what;
  ResolveQuestion question;
  std::string content;  // empty: not found
  std::string media_type;
  uint64_t size_bytes;
  bool repository_known;
};

TEST_P(ContentRowsTest, Resolves) {
  const std::string image = DigestOf("image").ToString();
  const std::string layer = DigestOf("layer").ToString();
  const ResolveCase cases[] = {
      {"a tag", AskManifest(Repo("app"), Ref("v1")), "image", "m", 5, true},
      {"a digest", AskManifest(Repo("app"), Ref(image)), "image", "m", 5, true},
      {"a blob", AskBlob(Repo("app"), DigestOf("layer")), "layer", "", 7, true},
      {"an unknown tag", AskManifest(Repo("app"), Ref("v9")), "", "", 0, true},
      {"an unknown digest", AskManifest(Repo("app"), DigestOf("x")), "", "", 0, true},
      {"an unknown blob", AskBlob(Repo("app"), DigestOf("x")), "", "", 0, true},
      {"a blob's digest as a manifest", AskManifest(Repo("app"), Ref(layer)), "", "", 0, true},
      {"a manifest's digest as a blob", AskBlob(Repo("app"), DigestOf("image")), "", "", 0, true},
      {"a tag in an empty repository", AskManifest(Repo("empty"), Ref("v1")), "", "", 0, true},
      {"a tag in no repository", AskManifest(Repo("none"), Ref("v1")), "", "", 0, false},
      {"a digest in no repository", AskManifest(Repo("none"), Ref(image)), "", "", 0, false},
      {"a blob in no repository", AskBlob(Repo("none"), DigestOf("layer")), "", "", 0, false},
      {"a tag of another generation", AskManifest(Repo("app"), Ref("v3")), "", "", 0, true},
  };
  for (const ResolveCase& c : cases) {
    SCOPED_TRACE(c.what);
    const Result<ResolveAnswer> answer = rows_.Resolve(c.question);
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ(answer->repository_known, c.repository_known);
    ASSERT_EQ(answer->found(), !c.content.empty());
    if (!answer->found()) continue;
    EXPECT_EQ(answer->content->digest, DigestOf(c.content));
    EXPECT_EQ(answer->content->media_type, c.media_type);
    EXPECT_EQ(answer->content->size_bytes, c.size_bytes);
  }
}

TEST_P(ContentRowsTest, NamesTheRowThatItCannotRead) {
  PutText(GetParam() + keys::TagOf(Repo("app"), *Tag::Parse("v1")), "\xff");
  const auto answer = rows_.Resolve(AskManifest(Repo("app"), Ref("v1")));
  ASSERT_FALSE(answer.has_value());
  EXPECT_EQ(answer.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(answer.error().message.find("tag/app v1"), std::string::npos);
}

TEST_P(ContentRowsTest, ListsTagsAfterAName) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*rows_.ListTags(Repo("app"), "", 10), Names({"v1", "v2"}));
  EXPECT_EQ(*rows_.ListTags(Repo("app"), "", 1), Names({"v1"}));
  EXPECT_EQ(*rows_.ListTags(Repo("app"), "v1", 10), Names({"v2"}));
  EXPECT_EQ(*rows_.ListTags(Repo("empty"), "", 10), Names());
  EXPECT_EQ(*rows_.ListTags(Repo("none"), "", 10), Names());
}

TEST_P(ContentRowsTest, ListsRepositoriesByTheirBeginning) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(*rows_.ListRepositories("", "", 10), Names({"app", "empty"}));
  EXPECT_EQ(*rows_.ListRepositories("e", "", 10), Names({"empty"}));
  EXPECT_EQ(*rows_.ListRepositories("", "app", 10), Names({"empty"}));
  EXPECT_EQ(*rows_.ListRepositories("x", "", 10), Names());
  EXPECT_TRUE(*rows_.HasRepository(Repo("empty")));
  EXPECT_FALSE(*rows_.HasRepository(Repo("none")));
}

TEST_P(ContentRowsTest, ListsReferrers) {
  const auto referrers = rows_.ListReferrers(Repo("app"), DigestOf("image"), "", 10, 1000);
  ASSERT_TRUE(referrers.has_value());
  ASSERT_EQ(referrers->size(), 1u);
  const ReferrerInfo& referrer = referrers->front();
  EXPECT_EQ(referrer.digest, DigestOf("signature"));
  EXPECT_EQ(referrer.media_type, "m");
  EXPECT_EQ(referrer.size_bytes, 9u);
  EXPECT_EQ(referrer.artifact_type, "signature");
  EXPECT_EQ(referrer.annotations, (std::map<std::string, std::string>{{"k", "v"}}));
  const std::string last = referrer.digest.ToString();
  EXPECT_TRUE(rows_.ListReferrers(Repo("app"), DigestOf("image"), last, 10, 1000)->empty());
  EXPECT_TRUE(rows_.ListReferrers(Repo("app"), DigestOf("layer"), "", 10, 1000)->empty());
  EXPECT_TRUE(rows_.ListReferrers(Repo("none"), DigestOf("image"), "", 10, 1000)->empty());
}

INSTANTIATE_TEST_SUITE_P(Store, ContentRowsTest, testing::Values(""));
INSTANTIATE_TEST_SUITE_P(Node, ContentRowsTest, testing::Values(keys::GenerationPrefix(3)));

TEST(ResolveQuestion, TextsDiffer) {
  const Digest digest = DigestOf("image");
  EXPECT_EQ(ToString(AskManifest(Repo("a/b"), Ref("v1"))), "manifest a/b:v1");
  EXPECT_EQ(ToString(AskManifest(Repo("a/b"), digest)), "manifest a/b@" + digest.ToString());
  EXPECT_EQ(ToString(AskBlob(Repo("a/b"), digest)), "blob a/b@" + digest.ToString());
}

}  // namespace
}  // namespace outport
