#include <gtest/gtest.h>

#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"
#include "tests/support/test_name.h"

namespace outport::http {
namespace {

constexpr const char* kFoo =
    "/v2/team/app/blobs/sha256:"
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
constexpr const char* kAbsent =
    "/v2/team/app/blobs/sha256:"
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr const char* kEmpty =
    "/v2/team/app/blobs/sha256:"
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr const char* kReferrers =
    "/v2/team/app/referrers/sha256:"
    "0000000000000000000000000000000000000000000000000000000000000000";
constexpr const char* kElsewhere =
    "/v2/other/app/blobs/sha256:"
    "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
constexpr const char* kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
constexpr const char* kOciIndexType = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";
constexpr const char* kMissingConfig =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{)"
    R"("mediaType":"application/vnd.oci.empty.v1+json","size":2,"digest":)"
    R"("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"},"layers":[]})";

constexpr const char* kAlice = "alice:wonder";
constexpr const char* kBob = "bob:builder";     // pulls in team/**
constexpr const char* kCarol = "carol:singer";  // nothing

struct Case {
  const char* what;
  const char* method;
  const char* target;
  const char* user;
  int status;
  const char* error_code = "";
  const char* fields = "";
  const char* body = "";
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.method << ' ' << c.target; }

void Fill(MemoryRegistry& registry) {
  registry.AddBlob("team/app", "foo");
  registry.AddBlob("team/app", "");
  registry.AddBlob("other/app", "bar");
  registry.AddManifest("team/app", "v1", std::string(media_type::kOciIndex), kIndex);
  registry.AddManifest("team/app", "v2", std::string(media_type::kOciIndex), kIndex);
  registry.AddManifest("blobs/manifests", "v1", std::string(media_type::kOciIndex), kIndex);
}

constexpr Case kCases[] = {
    // Authentication. All paths answer the same without it, so that they reveal nothing.
    {"the ping answers a user", "GET", "/v2/", kAlice, 200},
    {"the ping answers HEAD", "HEAD", "/v2/", kAlice, 200},
    {"the ping without a slash", "GET", "/v2", kAlice, 200},
    {"the ping answers a user without grants", "GET", "/v2/", kCarol, 200},
    {"a request with a sequence", "GET", "/v2/team/app/manifests/v1", kAlice, 200, "",
     "Outport-Min-Sequence: 1\r\n"},
    {"a sequence that is not a number is rejected", "GET", "/v2/team/app/manifests/v1", kAlice, 400,
     "UNSUPPORTED", "Outport-Min-Sequence: 1x\r\n"},
    {"a negative sequence is rejected", "GET", "/v2/team/app/manifests/v1", kAlice, 400,
     "UNSUPPORTED", "Outport-Min-Sequence: -1\r\n"},
    {"a sequence that is too large is rejected", "GET", "/v2/team/app/manifests/v1", kAlice, 400,
     "UNSUPPORTED", "Outport-Min-Sequence: 99999999999999999999\r\n"},
    {"two sequences are rejected", "GET", "/v2/team/app/manifests/v1", kAlice, 400, "UNSUPPORTED",
     "Outport-Min-Sequence: 1\r\nOutport-Min-Sequence: 2\r\n"},
    {"the ping without credentials is rejected", "GET", "/v2/", "", 401, "UNAUTHORIZED"},
    {"the ping by HEAD without credentials is rejected", "HEAD", "/v2/", "", 401},
    {"a wrong password is rejected", "GET", "/v2/", "alice:wrong", 401, "UNAUTHORIZED"},
    {"an unknown user is rejected", "GET", "/v2/", "mallory:x", 401, "UNAUTHORIZED"},
    {"an unknown scheme is rejected", "GET", "/v2/", "", 401, "UNAUTHORIZED",
     "Authorization: Bearer abc\r\n"},
    {"invalid base64 is rejected", "GET", "/v2/", "", 401, "UNAUTHORIZED",
     "Authorization: Basic !!!\r\n"},
    {"a blob without credentials is rejected", "GET", kFoo, "", 401, "UNAUTHORIZED"},
    {"an unknown path without credentials is rejected", "GET", "/nothing", "", 401, "UNAUTHORIZED"},
    {"an invalid name without credentials is rejected", "GET", "/v2/BAD/tags/list", "", 401,
     "UNAUTHORIZED"},
    // Grants.
    {"no grant, no blob", "GET", kFoo, kCarol, 403, "DENIED"},
    {"no grant, no HEAD", "HEAD", kFoo, kCarol, 403},
    {"no grant, no manifest", "GET", "/v2/team/app/manifests/v1", kCarol, 403, "DENIED"},
    {"no grant, no tags", "GET", "/v2/team/app/tags/list", kCarol, 403, "DENIED"},
    {"an unknown repository is denied too", "GET", "/v2/x/tags/list", kCarol, 403, "DENIED"},
    {"a grant for pull pulls", "GET", kFoo, kBob, 200},
    {"a grant for one pattern does not cover another", "GET", kElsewhere, kBob, 403, "DENIED"},
    {"a grant for pull does not push", "POST", "/v2/team/app/blobs/uploads/", kBob, 403, "DENIED"},
    {"a grant for pull puts no manifest", "PUT", "/v2/team/app/manifests/v1", kBob, 403, "DENIED",
     kOciIndexType, kIndex},
    {"a grant for pull sees no session", "GET", "/v2/team/app/blobs/uploads/u1", kBob, 403,
     "DENIED"},
    // Blobs.
    {"a stored blob is served", "GET", kFoo, kAlice, 200},
    {"HEAD shows the size of a blob", "HEAD", kFoo, kAlice, 200},
    {"an empty blob is served", "GET", kEmpty, kAlice, 200},
    {"an absent blob is unknown", "GET", kAbsent, kAlice, 404, "BLOB_UNKNOWN"},
    {"an absent blob is unknown to HEAD", "HEAD", kAbsent, kAlice, 404},
    {"a blob of another repository is unknown", "GET", kElsewhere, kAlice, 404, "BLOB_UNKNOWN"},
    {"a blob of no repository", "GET",
     "/v2/x/blobs/sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", kAlice,
     404, "NAME_UNKNOWN"},
    {"a malformed digest is rejected", "GET", "/v2/team/app/blobs/sha256:zz", kAlice, 400,
     "DIGEST_INVALID"},
    {"a digest in capitals is rejected", "GET",
     "/v2/team/app/blobs/sha256:2C26B46B68FFC68FF99B453C1D30413413422D706483BFA0F98A5E886266E7AE",
     kAlice, 400, "DIGEST_INVALID"},
    {"a blob has no tag", "GET", "/v2/team/app/blobs/latest", kAlice, 400, "DIGEST_INVALID"},
    {"an escaped digest is decoded", "GET",
     "/v2/team/app/blobs/"
     "sha256%3A2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
     kAlice, 200},
    {"the parameter ns is ignored", "HEAD",
     "/v2/team/app/blobs/"
     "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae?ns=docker.io",
     kAlice, 200},
    {"a blob is deleted", "DELETE", kFoo, kAlice, 202},
    {"an absent blob is not deleted", "DELETE", kAbsent, kAlice, 404, "BLOB_UNKNOWN"},
    {"a blob of another repository is not deleted", "DELETE", kElsewhere, kAlice, 404,
     "BLOB_UNKNOWN"},
    {"a blob is not deleted by an invalid digest", "DELETE", "/v2/team/app/blobs/sha256:zz", kAlice,
     400, "DIGEST_INVALID"},
    {"a grant for pull deletes no blob", "DELETE", kFoo, kBob, 403, "DENIED"},
    {"blobs are not posted here", "POST", kFoo, kAlice, 405, "UNSUPPORTED"},
    {"a part", "GET", kFoo, kAlice, 206, "", "Range: bytes=1-1\r\n"},
    {"a part to the end", "GET", kFoo, kAlice, 206, "", "Range: bytes=1-\r\n"},
    {"the last byte", "GET", kFoo, kAlice, 206, "", "Range: bytes=-1\r\n"},
    {"a part beyond the end is clamped", "GET", kFoo, kAlice, 206, "", "Range: bytes=2-500\r\n"},
    {"a part behind the end", "GET", kFoo, kAlice, 416, "RANGE_INVALID", "Range: bytes=3-\r\n"},
    {"a part of nothing", "GET", kEmpty, kAlice, 416, "RANGE_INVALID", "Range: bytes=0-\r\n"},
    {"another unit is the whole", "GET", kFoo, kAlice, 200, "", "Range: lines=1-2\r\n"},
    {"several parts are the whole", "GET", kFoo, kAlice, 200, "", "Range: bytes=0-0,2-2\r\n"},
    {"a part of what has changed is the whole", "GET", kFoo, kAlice, 200, "",
     "Range: bytes=1-1\r\nIf-Range: \"other\"\r\n"},
    {"HEAD knows no parts", "HEAD", kFoo, kAlice, 200, "", "Range: bytes=1-1\r\n"},
    {"a blob that the client has is not sent", "GET", kFoo, kAlice, 304, "",
     "If-None-Match: \"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\""
     "\r\n"},
    {"an absent blob that the client has is unknown", "GET", kAbsent, kAlice, 404, "BLOB_UNKNOWN",
     "If-None-Match: *\r\n"},
    // Manifests.
    {"a tag is served", "GET", "/v2/team/app/manifests/v1", kAlice, 200},
    {"HEAD shows the size of a manifest", "HEAD", "/v2/team/app/manifests/v1", kAlice, 200},
    {"a type that Accept does not list is served", "GET", "/v2/team/app/manifests/v1", kAlice, 200,
     "", "Accept: text/plain\r\n"},
    {"an unknown tag", "GET", "/v2/team/app/manifests/v9", kAlice, 404, "MANIFEST_UNKNOWN"},
    {"an invalid tag is unknown", "GET", "/v2/team/app/manifests/.INVALID_MANIFEST_NAME", kAlice,
     404, "MANIFEST_UNKNOWN"},
    {"an invalid tag is unknown to HEAD", "HEAD", "/v2/team/app/manifests/.INVALID", kAlice, 404},
    {"a malformed digest of a manifest", "GET", "/v2/team/app/manifests/sha256:baddigeststring",
     kAlice, 400, "DIGEST_INVALID"},
    {"an unknown repository", "GET", "/v2/none/manifests/v1", kAlice, 404, "NAME_UNKNOWN"},
    {"a repository with the API's words for a name", "GET", "/v2/blobs/manifests/manifests/v1",
     kAlice, 200},
    {"a manifest that the client has is not sent", "GET", "/v2/team/app/manifests/v1", kAlice, 304,
     "", "If-None-Match: *\r\n"},
    {"a manifest that the client does not have is sent", "GET", "/v2/team/app/manifests/v1", kAlice,
     200, "", "If-None-Match: \"old\"\r\n"},
    {"a manifest is pushed", "PUT", "/v2/team/app/manifests/v3", kAlice, 201, "", kOciIndexType,
     kIndex},
    {"a type with parameters", "PUT", "/v2/team/app/manifests/v3", kAlice, 201, "",
     "Content-Type: application/vnd.oci.image.index.v1+json; charset=utf-8\r\n", kIndex},
    {"the body names its type", "PUT", "/v2/team/app/manifests/v3", kAlice, 201, "", "", kIndex},
    {"a manifest with a missing blob", "PUT", "/v2/team/app/manifests/v3", kAlice, 400,
     "MANIFEST_BLOB_UNKNOWN", "", kMissingConfig},
    {"a manifest that is not JSON", "PUT", "/v2/team/app/manifests/v3", kAlice, 400,
     "MANIFEST_INVALID", kOciIndexType, "junk"},
    {"an empty manifest", "PUT", "/v2/team/app/manifests/v3", kAlice, 400, "MANIFEST_INVALID",
     "Content-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: 0\r\n"},
    {"a push to a bad tag", "PUT", "/v2/team/app/manifests/.bad", kAlice, 400, "TAG_INVALID",
     kOciIndexType, kIndex},
    {"a push to a bad digest", "PUT", "/v2/team/app/manifests/sha256:bad", kAlice, 400,
     "DIGEST_INVALID", kOciIndexType, kIndex},
    {"a push to the digest of something else", "PUT",
     "/v2/team/app/manifests/"
     "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
     kAlice, 400, "DIGEST_INVALID", kOciIndexType, kIndex},
    {"a tag is deleted", "DELETE", "/v2/team/app/manifests/v1", kAlice, 202},
    {"an unknown tag is not deleted", "DELETE", "/v2/team/app/manifests/v9", kAlice, 404,
     "MANIFEST_UNKNOWN"},
    {"an invalid tag is not deleted", "DELETE", "/v2/team/app/manifests/.bad", kAlice, 404,
     "MANIFEST_UNKNOWN"},
    {"a tag of an unknown repository is not deleted", "DELETE", "/v2/none/manifests/v1", kAlice,
     404, "NAME_UNKNOWN"},
    {"a manifest is not deleted by an invalid digest", "DELETE",
     "/v2/team/app/manifests/sha256:bad", kAlice, 400, "DIGEST_INVALID"},
    {"a grant for pull deletes no tag", "DELETE", "/v2/team/app/manifests/v1", kBob, 403, "DENIED"},
    {"a push with a sequence that is not a number is rejected", "PUT", "/v2/team/app/manifests/v3",
     kAlice, 400, "UNSUPPORTED", "Outport-Min-Sequence: 5x\r\n", kIndex},
    {"manifests are not posted", "POST", "/v2/team/app/manifests/v1", kAlice, 405, "UNSUPPORTED"},
    // Referrers.
    {"the referrers of nothing", "GET", kReferrers, kAlice, 200},
    {"the referrers for HEAD", "HEAD", kReferrers, kAlice, 200},
    {"the referrers in an unknown repository", "GET",
     "/v2/none/referrers/sha256:0000000000000000000000000000000000000000000000000000000000000000",
     kAlice, 200},
    {"the referrers of a tag", "GET", "/v2/team/app/referrers/v1", kAlice, 400, "DIGEST_INVALID"},
    {"the referrers of a bad digest", "GET", "/v2/team/app/referrers/sha256:bad", kAlice, 400,
     "DIGEST_INVALID"},
    {"a bad page of referrers", "GET",
     "/v2/a/referrers/sha256:0000000000000000000000000000000000000000000000000000000000000000?n=x",
     kAlice, 400, "PAGINATION_NUMBER_INVALID"},
    {"referrers are not put", "PUT", kReferrers, kAlice, 405, "UNSUPPORTED"},
    {"no grant, no referrers", "GET", kReferrers, kCarol, 403, "DENIED"},
    // Lists.
    {"the tags", "GET", "/v2/team/app/tags/list", kAlice, 200},
    {"the tags for HEAD", "HEAD", "/v2/team/app/tags/list", kAlice, 200},
    {"no tags at all", "GET", "/v2/team/app/tags/list?n=0", kAlice, 200},
    {"an n that is not a number", "GET", "/v2/team/app/tags/list?n=x", kAlice, 400,
     "PAGINATION_NUMBER_INVALID"},
    {"a negative n", "GET", "/v2/team/app/tags/list?n=-1", kAlice, 400,
     "PAGINATION_NUMBER_INVALID"},
    {"the tags of an unknown repository", "GET", "/v2/none/tags/list", kAlice, 404, "NAME_UNKNOWN"},
    {"no tags of an unknown repository", "GET", "/v2/none/tags/list?n=0", kAlice, 404,
     "NAME_UNKNOWN"},
    {"tags are not put", "PUT", "/v2/team/app/tags/list", kAlice, 405, "UNSUPPORTED"},
    {"the catalog", "GET", "/v2/_catalog", kAlice, 200},
    {"the catalog of a user without grants", "GET", "/v2/_catalog", kCarol, 200},
    {"the catalog with a bad n", "GET", "/v2/_catalog?n=", kAlice, 400,
     "PAGINATION_NUMBER_INVALID"},
    {"the catalog is not posted", "POST", "/v2/_catalog", kAlice, 405, "UNSUPPORTED"},
    // Paths.
    {"outside the API", "GET", "/", kAlice, 404, "UNSUPPORTED"},
    {"a name in capitals", "GET", "/v2/App/tags/list", kAlice, 400, "NAME_INVALID"},
    {"a name that is not UTF-8", "GET", "/v2/%FF%C0%AF/tags/list", kAlice, 400, "NAME_INVALID"},
    {"a tag that is not UTF-8", "GET", "/v2/team/app/manifests/%ED%A0%80", kAlice, 404,
     "MANIFEST_UNKNOWN"},
    {"a path that is not UTF-8", "GET", "/%FF", kAlice, 404, "UNSUPPORTED"},
    {"an escaped slash", "GET", "/v2/team%2Fapp/tags/list", kAlice, 400, "UNSUPPORTED"},
    {"a dot segment", "GET", "/v2/team/../app/tags/list", kAlice, 400, "UNSUPPORTED"},
    {"an unknown method", "BREW", "/v2/", kAlice, 405, "UNSUPPORTED"},
    {"OPTIONS", "OPTIONS", kFoo, kAlice, 405, "UNSUPPORTED"},
    {"the absolute form", "GET", "https://localhost/v2/", kAlice, 200},
};

class RegistryHttpTest : public testing::TestWithParam<Case> {};

TEST_P(RegistryHttpTest, Answers) {
  const Case& c = GetParam();
  TestServer server;
  Fill(server.registry());
  const TestResponse response = server.Call(
      {.method = c.method, .target = c.target, .user = c.user, .fields = c.fields, .body = c.body});
  EXPECT_EQ(response.status, c.status) << response.body;
  EXPECT_EQ(response.ErrorCode(), c.error_code) << response.body;
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.Field("docker-distribution-api-version"), "registry/2.0");
  EXPECT_EQ(response.Field("x-request-id").size(), 16u);
  EXPECT_EQ(response.Field("x-content-type-options"), "nosniff");
  EXPECT_EQ(response.Field("www-authenticate"), c.status == 401 ? "Basic realm=\"outport\"" : "");
  EXPECT_EQ(response.Field("allow").empty(), c.status != 405);
  if (c.status >= 400) EXPECT_EQ(response.Field("content-type"), "application/json");
}
INSTANTIATE_TEST_SUITE_P(Requests, RegistryHttpTest, testing::ValuesIn(kCases), kNameOfRow);

}  // namespace
}  // namespace outport::http
