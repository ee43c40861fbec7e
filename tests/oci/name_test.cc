#include "registry/oci/name.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

TEST(RepositoryName, AcceptsTheGrammar) {
  const std::string cases[] = {
      "a",
      "0",
      "busybox",
      "library/busybox",
      "a/b/c/d/e/f",
      "a.b_c__d-e--f---g",
      "blobs/uploads/manifests/tags/list",
      "n" + std::string(254, 'x'),
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    const auto name = RepositoryName::Parse(text);
    ASSERT_TRUE(name.has_value()) << name.error().message;
    EXPECT_EQ(name->ToString(), text);
  }
}

TEST(RepositoryName, RejectsAnythingElse) {
  const std::string cases[] = {
      "",
      "/",
      "a/",
      "/a",
      "a//b",
      "A",
      "aB",
      "a..b",
      "a___b",
      "a._b",
      "a.-b",
      "a_-b",
      "-a",
      "a-",
      ".a",
      "a.",
      "_catalog",
      "a_",
      "a__",
      "a b",
      "a:b",
      "..",
      "a/../b",
      "a%2fb",
      std::string("a\0b", 3),
      "\xc3\xa4",
      "n" + std::string(255, 'x'),
  };
  for (const std::string& text : cases) {
    SCOPED_TRACE(text);
    const auto name = RepositoryName::Parse(text);
    ASSERT_FALSE(name.has_value());
    EXPECT_EQ(name.error().code, ErrorCode::kNameInvalid);
  }
}

TEST(Tag, AcceptsTheGrammar) {
  for (const std::string& text : {std::string("latest"), std::string("1.0-RC_1"), std::string("_"),
                                  std::string("A"), std::string("0"), std::string(128, 't')}) {
    SCOPED_TRACE(text);
    const auto tag = Tag::Parse(text);
    ASSERT_TRUE(tag.has_value());
    EXPECT_EQ(tag->ToString(), text);
  }
}

TEST(Tag, RejectsAnythingElse) {
  for (const std::string& text :
       {std::string(), std::string(".INVALID_MANIFEST_NAME"), std::string("-a"), std::string("a/b"),
        std::string("a b"), std::string("a:b"), std::string("a\0", 2), std::string(129, 't')}) {
    SCOPED_TRACE(text);
    const auto tag = Tag::Parse(text);
    ASSERT_FALSE(tag.has_value());
    EXPECT_EQ(tag.error().code, ErrorCode::kTagInvalid);
  }
}

TEST(Reference, IsADigestIfItHasAColon) {
  const std::string digest = "sha256:" + std::string(64, '0');
  const auto by_digest = ParseReference(digest);
  ASSERT_TRUE(by_digest.has_value());
  EXPECT_TRUE(std::holds_alternative<Digest>(*by_digest));
  EXPECT_EQ(ToString(*by_digest), digest);

  const auto by_tag = ParseReference("v1");
  ASSERT_TRUE(by_tag.has_value());
  EXPECT_TRUE(std::holds_alternative<Tag>(*by_tag));
  EXPECT_EQ(ToString(*by_tag), "v1");

  EXPECT_EQ(ParseReference("sha256:bad").error().code, ErrorCode::kDigestInvalid);
  EXPECT_EQ(ParseReference(".bad").error().code, ErrorCode::kTagInvalid);
}

}  // namespace
}  // namespace outport
