#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

const std::string kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
const std::string kDigest = Digest::Of(DigestAlgorithm::kSha256, AsBytes(kIndex)).ToString();

class PushTags : public testing::Test {
 protected:
  TestRequest Put(const std::string& reference_and_query) {
    return {.method = "PUT", .target = "/v2/a/manifests/" + reference_and_query, .body = kIndex};
  }
  std::string Tags() { return server_.Call({.target = "/v2/a/tags/list"}).body; }

  TestServer server_;
};

TEST_F(PushTags, AreSetWithADigest) {
  TestClient client = server_.Connect();
  client.Send(Put(kDigest + "?tag=v1&tag=v2,v3&tag=v1").Text());
  const std::string head = client.ReceiveHead();
  EXPECT_TRUE(head.starts_with("HTTP/1.1 201 ")) << head;
  for (const char* line : {"OCI-Tag: v1\r\n", "OCI-Tag: v2\r\n", "OCI-Tag: v3\r\n"}) {
    const size_t found = head.find(line);
    EXPECT_NE(found, std::string::npos) << head;
    EXPECT_EQ(head.find(line, found + 1), std::string::npos) << "said twice";
  }
  EXPECT_EQ(Tags(), R"({"name":"a","tags":["v1","v2","v3"]})");
}

// ?tag= is the only way to tag such a manifest: a push by tag always uses sha256.
TEST_F(PushTags, NameAManifestOfSha512) {
  const std::string digest = Digest::Of(DigestAlgorithm::kSha512, AsBytes(kIndex)).ToString();
  const TestResponse pushed = server_.Call(Put(digest + "?tag=big"));
  EXPECT_EQ(pushed.status, 201);
  EXPECT_EQ(pushed.Field("docker-content-digest"), digest);
  EXPECT_EQ(pushed.Field("oci-tag"), "big");
  const TestResponse head = server_.Call({.method = "HEAD", .target = "/v2/a/manifests/big"});
  EXPECT_EQ(head.Field("docker-content-digest"), digest);
}

TEST_F(PushTags, AreAllSetOrNone) {
  for (const char* query : {"?tag=good&tag=-bad", "?tag=good,", "?tag="}) {
    SCOPED_TRACE(query);
    const TestResponse rejected = server_.Call(Put(kDigest + query));
    EXPECT_EQ(rejected.status, 400);
    EXPECT_EQ(rejected.ErrorCode(), "TAG_INVALID");
  }
  EXPECT_EQ(server_.Call({.target = "/v2/a/manifests/" + kDigest}).status, 404);
}

TEST_F(PushTags, AreLimited) {
  std::string query = "?tag=t0";
  for (int i = 1; i < 100; ++i) query += ",t" + std::to_string(i);
  EXPECT_EQ(server_.Call(Put(kDigest + query)).status, 201);
  const TestResponse rejected = server_.Call(Put(kDigest + query + ",more"));
  EXPECT_EQ(rejected.status, 414);
  EXPECT_EQ(rejected.ErrorCode(), "UNSUPPORTED");
  EXPECT_NE(rejected.body.find("101"), std::string::npos) << rejected.body;
}

TEST_F(PushTags, AreIgnoredWithATag) {
  const TestResponse pushed = server_.Call(Put("v1?tag=v2"));
  EXPECT_EQ(pushed.status, 201);
  EXPECT_EQ(pushed.Field("oci-tag"), "");
  EXPECT_EQ(Tags(), R"({"name":"a","tags":["v1"]})");
}

}  // namespace
}  // namespace outport::http
