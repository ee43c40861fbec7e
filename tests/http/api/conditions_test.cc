#include "registry/http/api/conditions.h"

#include <gtest/gtest.h>

#include "registry/http/api/paging.h"
#include "registry/http/connection/url.h"

namespace outport::http {
namespace {

const Digest kDigest = Digest::Of(DigestAlgorithm::kSha256, AsBytes("foo"));

TEST(Conditions, IfNoneMatchNamesADigest) {
  const std::string bare = kDigest.ToString();
  const std::string quoted = '"' + bare + '"';
  EXPECT_TRUE(NoneMatchNames(quoted, kDigest));
  EXPECT_TRUE(NoneMatchNames(bare, kDigest));
  EXPECT_TRUE(NoneMatchNames("W/" + quoted, kDigest));
  EXPECT_TRUE(NoneMatchNames("\"other\" , " + quoted, kDigest));
  EXPECT_TRUE(NoneMatchNames("*", kDigest));
  EXPECT_FALSE(NoneMatchNames("", kDigest));
  EXPECT_FALSE(NoneMatchNames("\"other\"", kDigest));
  EXPECT_FALSE(NoneMatchNames(",,", kDigest));
}

TEST(Conditions, IfRangeGuardsARange) {
  EXPECT_TRUE(RangeApplies("", kDigest));
  EXPECT_TRUE(RangeApplies(EntityTag(kDigest), kDigest));
  EXPECT_FALSE(RangeApplies("\"other\"", kDigest));
  EXPECT_FALSE(RangeApplies("Fri, 20 Nov 2026 18:49:06 GMT", kDigest));
  EXPECT_FALSE(RangeApplies("W/" + EntityTag(kDigest), kDigest));
}

struct PageCase {
  const char* n;
  int limit;  // -1: rejected
};

TEST(Paging, ReadsN) {
  constexpr PageCase kCases[] = {
      {"5", 5},   {"0", 0},  {"1000", 1000}, {"1001", 1000}, {"", -1},
      {"-1", -1}, {"x", -1}, {"5x", -1},     {" 5", -1},     {"99999999999999999999", 1000}};
  for (const PageCase& c : kCases) {
    SCOPED_TRACE(c.n);
    Route route;
    route.n = c.n;
    const auto page = ParsePage(route);
    EXPECT_EQ(page.has_value() ? static_cast<int>(page->limit) : -1, c.limit);
  }
  EXPECT_EQ(ParsePage(Route{})->limit, kMaxPage);
}

TEST(Paging, LinksToTheNextPage) {
  EXPECT_EQ(FormatNextLink("/v2/_catalog", "b/c", 2),
            "</v2/_catalog?last=b%2Fc&n=2>; rel=\"next\"");
  EXPECT_EQ(FormatNextLink("/r", "sha256:ab", 5, "application/x+json"),
            "</r?last=sha256%3Aab&n=5&artifactType=application%2Fx%2Bjson>; rel=\"next\"");
}

TEST(Url, WhatIsEncodedIsReadBack) {
  const std::string value = "a b&c=d/é+%";
  EXPECT_EQ(QueryParameter("last=" + EncodeQueryValue(value), "last")->value(), value);
}

}  // namespace
}  // namespace outport::http
