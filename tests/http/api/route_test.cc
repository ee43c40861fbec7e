#include "registry/http/api/route.h"

#include <gtest/gtest.h>

namespace outport::http {
namespace {

// An empty error: the target has a route.
struct Case {
  const char* target;
  const char* error;
  const char* noun = "";
  const char* repository = "";
  const char* rest = "";  // reference, digest or upload id
};

constexpr Case kCases[] = {
    // The ping and the catalog.
    {"/v2/", "", "ping"},
    {"/v2", "", "ping"},
    {"/v2/?x=1", "", "ping"},
    {"/v2/_catalog", "", "catalog"},
    {"/v2/_catalog?n=10", "", "catalog"},
    // Each noun, at several depths.
    {"/v2/app/tags/list", "", "tags", "app"},
    {"/v2/team/app/tags/list", "", "tags", "team/app"},
    {"/v2/a/b/c/d/e/tags/list", "", "tags", "a/b/c/d/e"},
    {"/v2/app/manifests/latest", "", "manifest", "app", "latest"},
    {"/v2/team/app/manifests/v1.0", "", "manifest", "team/app", "v1.0"},
    {"/v2/app/manifests/sha256:ab", "", "manifest", "app", "sha256:ab"},
    {"/v2/app/blobs/sha256:ab", "", "blob", "app", "sha256:ab"},
    {"/v2/team/app/blobs/sha256:ab", "", "blob", "team/app", "sha256:ab"},
    {"/v2/app/blobs/uploads/", "", "uploads", "app"},
    {"/v2/app/blobs/uploads", "", "uploads", "app"},
    {"/v2/team/app/blobs/uploads/", "", "uploads", "team/app"},
    {"/v2/app/blobs/uploads/0123-ab_C", "", "upload", "app", "0123-ab_C"},
    {"/v2/team/app/blobs/uploads/x", "", "upload", "team/app", "x"},
    // A query that begins with '&' after the location of a session.
    {"/v2/app/blobs/uploads/x&digest=sha256:ab", "", "upload", "app", "x"},
    {"/v2/a/b/blobs/uploads/x&digest=sha256%3Aab&y", "", "upload", "a/b", "x"},
    {"/v2/app/blobs/uploads/x&y/tags/list", "name_invalid"},
    {"/v2/app/blobs/uploads/&digest=sha256:ab", "blob_upload_unknown"},
    {"/v2/app/blobs/uploads/x&digest=%4", "malformed_request"},
    {"/v2/app/blobs/uploads/x&y?digest=a", "blob_upload_unknown"},
    {"/v2/app/manifests/v1&digest=sha256:ab", "", "manifest", "app", "v1&digest=sha256:ab"},
    // Repositories whose names are words of the API: the end of the path decides.
    {"/v2/blobs/manifests/latest", "", "manifest", "blobs", "latest"},
    {"/v2/manifests/manifests/latest", "", "manifest", "manifests", "latest"},
    {"/v2/manifests/blobs/sha256:ab", "", "blob", "manifests", "sha256:ab"},
    {"/v2/tags/tags/list", "", "tags", "tags"},
    {"/v2/tags/list/tags/list", "", "tags", "tags/list"},
    {"/v2/blobs/uploads/manifests/v1", "", "manifest", "blobs/uploads", "v1"},
    {"/v2/blobs/uploads/blobs/uploads/", "", "uploads", "blobs/uploads"},
    {"/v2/blobs/uploads/blobs/uploads/u1", "", "upload", "blobs/uploads", "u1"},
    {"/v2/blobs/blobs/sha256:ab", "", "blob", "blobs", "sha256:ab"},
    {"/v2/app/referrers/sha256:ab", "", "referrers", "app", "sha256:ab"},
    {"/v2/referrers/referrers/sha256:ab", "", "referrers", "referrers", "sha256:ab"},
    {"/v2/a/referrers/manifests/v1", "", "manifest", "a/referrers", "v1"},
    {"/v2/a/manifests/referrers/sha256:ab", "", "referrers", "a/manifests", "sha256:ab"},
    {"/v2/blobs/uploads/referrers/sha256%3Aab", "", "referrers", "blobs/uploads", "sha256:ab"},
    {"/v2/a/blobs/blobs/uploads/referrers", "", "upload", "a/blobs", "referrers"},
    {"/v2/a/manifests/tags/list", "", "tags", "a/manifests"},
    {"/v2/a/tags/manifests/list", "", "manifest", "a/tags", "list"},
    {"/v2/a/manifests/uploads", "", "manifest", "a", "uploads"},
    {"/v2/a/manifests/blobs/uploads/", "", "uploads", "a/manifests"},
    {"/v2/uploads/blobs/uploads/u1", "", "upload", "uploads", "u1"},
    {"/v2/list/tags/list", "", "tags", "list"},
    {"/v2/v2/tags/list", "", "tags", "v2"},
    // Escapes.
    {"/v2/app/blobs/sha256%3Aab", "", "blob", "app", "sha256:ab"},
    {"/v2/app/blobs/sha256%3aab", "", "blob", "app", "sha256:ab"},
    {"/v2/%61pp/manifests/v%31", "", "manifest", "app", "v1"},
    {"/v2/app%2Fb/tags/list", "malformed_request"},
    {"/v2/app%2fb/tags/list", "malformed_request"},
    {"/v2/app/manifests/%2e%2e", "malformed_request"},
    {"/v2/app/manifests/..", "malformed_request"},
    {"/v2/app/../b/tags/list", "malformed_request"},
    {"/v2/./app/tags/list", "malformed_request"},
    {"/v2/app/manifests/a%00b", "malformed_request"},
    {"/v2/app/manifests/a%0ab", "malformed_request"},
    {"/v2/app/manifests/%", "malformed_request"},
    {"/v2/app/manifests/%4", "malformed_request"},
    {"/v2/app/manifests/%zz", "malformed_request"},
    {"/v2/app/blobs/uploads/?digest=%0a", "malformed_request"},
    {"/v2/app/blobs/uploads/?digest=%4", "malformed_request"},
    {"/v2/app/blobs/uploads/?unknown=%4", "", "uploads", "app"},
    // Invalid names of repositories.
    {"/v2/App/tags/list", "name_invalid"},
    {"/v2/-app/tags/list", "name_invalid"},
    {"/v2/app-/manifests/v1", "name_invalid"},
    {"/v2/a//b/tags/list", "name_invalid"},
    {"/v2//tags/list", "name_invalid"},
    {"/v2/a..b/blobs/sha256:ab", "name_invalid"},
    {"/v2/_app/blobs/uploads/", "name_invalid"},
    {"/v2/a b/tags/list", "name_invalid"},
    // Invalid ids of sessions.
    {"/v2/app/blobs/uploads/a.b", "blob_upload_unknown"},
    {"/v2/app/blobs/uploads/a:b", "blob_upload_unknown"},
    // Outside the API.
    {"/", "not_found"},
    {"/v1/", "not_found"},
    {"/v2x/", "not_found"},
    {"//v2/", "not_found"},
    {"/v2/app", "not_found"},
    {"/v2/app/", "not_found"},
    {"/v2/tags/list", "not_found"},
    {"/v2/manifests/v1", "not_found"},
    {"/v2/blobs/uploads/", "not_found"},
    {"/v2/app/manifests/", "not_found"},
    {"/v2/app/blobs/", "not_found"},
    {"/v2/app/referrers/", "not_found"},
    {"/v2/app/referrers", "not_found"},
    {"/v2/referrers/sha256:ab", "not_found"},
    {"/v2/app/tags/list/", "not_found"},
    {"/v2/app/tags", "not_found"},
    {"/v2/_catalog/", "not_found"},
    {"/v2/app/unknown/x", "not_found"},
};

TEST(Route, IsMatchedFromTheRight) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.target);
    const auto route = ParseRoute(c.target);
    if (!route.has_value()) {
      EXPECT_EQ(TraitsOf(route.error().code).name, c.error) << route.error().message;
      continue;
    }
    EXPECT_STREQ("", c.error);
    EXPECT_EQ(ToString(route->noun), c.noun);
    EXPECT_EQ(route->repository.has_value() ? route->repository->ToString() : "", c.repository);
    EXPECT_EQ(route->reference + route->upload_id, c.rest);
  }
}

TEST(Route, ReadsParametersAppendedToALocation) {
  const auto route = ParseRoute("/v2/app/blobs/uploads/x&digest=sha256%3Aab&digest-algorithm=b");
  ASSERT_TRUE(route.has_value()) << route.error().message;
  EXPECT_EQ(route->upload_id, "x");
  EXPECT_EQ(route->digest, "sha256:ab");
  EXPECT_EQ(route->digest_algorithm, "b");
}

TEST(Route, ReadsItsParameters) {
  const auto route = ParseRoute(
      "/v2/app/blobs/uploads/?ns=docker.io&mount=sha256%3Aab&from=a%2Fb&digest=x&digest=y&"
      "digest-algorithm=sha512&n=5&last=a+b&tag=one&tag=two,three%2Cfour&artifactType=a%2Fb%2Bc");
  ASSERT_TRUE(route.has_value());
  EXPECT_EQ(route->mount, "sha256:ab");
  EXPECT_EQ(route->digest, "x");
  EXPECT_EQ(route->digest_algorithm, "sha512");
  EXPECT_EQ(route->n, "5");
  EXPECT_EQ(route->last, "a b");
  EXPECT_EQ(route->from, "a/b");
  EXPECT_EQ(route->tags, (std::vector<std::string>{"one", "two", "three", "four"}));
  EXPECT_EQ(route->artifact_type, "a/b+c");
  EXPECT_EQ(ParseRoute("/v2/app/manifests/v1?tag")->tags, std::vector<std::string>{""});
  EXPECT_FALSE(ParseRoute("/v2/app/manifests/v1?tag=a&tag=%4").has_value());
  EXPECT_EQ(ParseRoute("/v2/app/tags/list?n&last=")->n, "");
  EXPECT_EQ(ParseRoute("/v2/app/tags/list?nn=1")->n, std::nullopt);
}

TEST(Route, KnowsTheMethodsOfItsPaths) {
  EXPECT_TRUE(Allows(Noun::kManifest, Method::kPut));
  EXPECT_TRUE(Allows(Noun::kPing, Method::kHead));
  EXPECT_TRUE(Allows(Noun::kManifest, Method::kDelete));
  EXPECT_TRUE(Allows(Noun::kBlob, Method::kDelete));
  EXPECT_FALSE(Allows(Noun::kBlob, Method::kPut));
  EXPECT_TRUE(Allows(Noun::kReferrers, Method::kHead));
  EXPECT_FALSE(Allows(Noun::kReferrers, Method::kDelete));
  EXPECT_TRUE(Allows(Noun::kUpload, Method::kDelete));
  EXPECT_FALSE(Allows(Noun::kUploads, Method::kGet));
  EXPECT_FALSE(Allows(Noun::kTags, Method::kOther));
}

TEST(Route, RequiresAnAction) {
  EXPECT_EQ(RequiredAction(Noun::kBlob, Method::kGet), Action::kPull);
  EXPECT_EQ(RequiredAction(Noun::kManifest, Method::kHead), Action::kPull);
  EXPECT_EQ(RequiredAction(Noun::kManifest, Method::kPut), Action::kPush);
  EXPECT_EQ(RequiredAction(Noun::kUploads, Method::kPost), Action::kPush);
  EXPECT_EQ(RequiredAction(Noun::kManifest, Method::kDelete), Action::kDelete);
  EXPECT_EQ(RequiredAction(Noun::kBlob, Method::kDelete), Action::kDelete);
  EXPECT_EQ(RequiredAction(Noun::kReferrers, Method::kGet), Action::kPull);
  EXPECT_EQ(RequiredAction(Noun::kUpload, Method::kGet), Action::kPush);
  EXPECT_EQ(RequiredAction(Noun::kUpload, Method::kDelete), Action::kPush);
}

}  // namespace
}  // namespace outport::http
