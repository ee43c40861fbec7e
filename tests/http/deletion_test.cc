#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

constexpr const char* kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";

class Deletion : public testing::Test {
 protected:
  TestResponse Delete(const std::string& target) {
    return server_.Call({.method = "DELETE", .target = target});
  }
  int Status(const std::string& target) {
    return server_.Call({.method = "HEAD", .target = target}).status;
  }
  std::string AddIndex(const std::string& tag) {
    const Digest digest =
        server_.registry().AddManifest("a", tag, std::string(media_type::kOciIndex), kIndex);
    return "/v2/a/manifests/" + digest.ToString();
  }

  TestServer server_;
};

TEST_F(Deletion, OfATagKeepsTheManifest) {
  const std::string by_digest = AddIndex("v1");
  AddIndex("v2");
  const TestResponse deleted = Delete("/v2/a/manifests/v1");
  EXPECT_EQ(deleted.status, 202);
  EXPECT_EQ(deleted.Field("content-length"), "0");
  EXPECT_EQ(deleted.Field("outport-sequence"), "1");
  EXPECT_EQ(Status("/v2/a/manifests/v1"), 404);
  EXPECT_EQ(Status("/v2/a/manifests/v2"), 200);
  EXPECT_EQ(Status(by_digest), 200);
}

TEST_F(Deletion, OfAManifestDeletesItsTags) {
  const std::string by_digest = AddIndex("v1");
  AddIndex("v2");
  EXPECT_EQ(Delete(by_digest).status, 202);
  for (const std::string& target :
       {by_digest, std::string("/v2/a/manifests/v1"), std::string("/v2/a/manifests/v2")}) {
    EXPECT_EQ(Status(target), 404);
  }
  EXPECT_EQ(Delete(by_digest).ErrorCode(), "MANIFEST_UNKNOWN");
}

TEST_F(Deletion, OfABlobAffectsOneRepository) {
  const std::string digest = server_.registry().AddBlob("a", "foo").ToString();
  server_.registry().AddBlob("b", "foo");
  const TestResponse deleted = Delete("/v2/a/blobs/" + digest);
  EXPECT_EQ(deleted.status, 202);
  EXPECT_EQ(deleted.Field("outport-sequence"), "1");
  EXPECT_EQ(Status("/v2/a/blobs/" + digest), 404);
  EXPECT_EQ(Status("/v2/b/blobs/" + digest), 200);
}

TEST_F(Deletion, OfAReferencedBlobIsRejected) {
  const std::string target = "/v2/a/blobs/" + server_.registry().AddBlob("a", "foo").ToString();
  server_.registry().FailNext(
      Error{ErrorCode::kUnsupported, "a manifest refers to it", {"sha256:x"}});
  const TestResponse rejected = Delete(target);
  EXPECT_EQ(rejected.status, 405);
  EXPECT_EQ(rejected.ErrorCode(), "UNSUPPORTED");
  EXPECT_EQ(rejected.Field("allow"), "GET, HEAD");
  EXPECT_EQ(Status(target), 200);
}

}  // namespace
}  // namespace outport::http
