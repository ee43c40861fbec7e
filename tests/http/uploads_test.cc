#include "tests/http/fixture.h"

namespace outport::http {
namespace {

constexpr const char* kUploads = "/v2/a/blobs/uploads/";

std::string DigestOf(const std::string& content) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(content)).ToString();
}

std::string Chunked(const std::string& content, size_t chunk) {
  std::string text;
  for (size_t i = 0; i < content.size(); i += chunk) {
    const std::string piece = content.substr(i, chunk);
    char size[32];
    std::snprintf(size, sizeof(size), "%zx\r\n", piece.size());
    text += size + piece + "\r\n";
  }
  return text + "0\r\n\r\n";
}

class Uploads : public testing::Test {
 protected:
  TestResponse Start() { return server_.Call({.method = "POST", .target = kUploads}); }
  TestResponse Patch(const std::string& location, const std::string& body,
                     const std::string& range = "") {
    const std::string fields = range.empty() ? "" : "Content-Range: " + range + "\r\n";
    return server_.Call({.method = "PATCH", .target = location, .fields = fields, .body = body});
  }
  TestResponse Finish(const std::string& location, const std::string& digest,
                      const std::string& body = "", const std::string& fields = "") {
    return server_.Call({.method = "PUT",
                         .target = location + "?digest=" + digest,
                         .fields = fields + (body.empty() ? "Content-Length: 0\r\n" : ""),
                         .body = body});
  }
  void ExpectBlob(const std::string& content) {
    const TestResponse got = server_.Call({.target = "/v2/a/blobs/" + DigestOf(content)});
    EXPECT_EQ(got.status, 200);
    EXPECT_TRUE(got.body == content);
  }

  TestServer server_;
};

TEST_F(Uploads, ASessionBegins) {
  const TestResponse started = Start();
  EXPECT_EQ(started.status, 202);
  const std::string id = started.Field("docker-upload-uuid");
  EXPECT_EQ(started.Field("location"), kUploads + id);
  EXPECT_EQ(started.Field("range"), "0-0");
  EXPECT_EQ(started.Field("content-length"), "0");
  EXPECT_EQ(server_.Call({.method = "POST", .target = "/v2/a/blobs/uploads"}).status, 202);
}

// As Docker and skopeo push: one streamed PATCH, then an empty PUT.
TEST_F(Uploads, AStreamThenAnEmptyPut) {
  const std::string location = Start().Field("location");
  const TestResponse patched = Patch(location, "some layer");
  EXPECT_EQ(patched.status, 202);
  EXPECT_EQ(patched.Field("range"), "0-9");
  EXPECT_EQ(patched.Field("location"), location);
  const TestResponse finished = Finish(location, DigestOf("some layer"));
  EXPECT_EQ(finished.status, 201);
  EXPECT_EQ(finished.Field("location"), "/v2/a/blobs/" + DigestOf("some layer"));
  EXPECT_EQ(finished.Field("docker-content-digest"), DigestOf("some layer"));
  EXPECT_EQ(finished.Field("outport-sequence"), "1");
  ExpectBlob("some layer");
  EXPECT_EQ(server_.Call({.target = location}).status, 404);
}

TEST_F(Uploads, AChunkedStream) {
  std::string content;
  for (int i = 0; i < 300'000; ++i) content += static_cast<char>('a' + i % 23);
  for (const size_t chunk : {size_t{7'001}, size_t{32'768}, content.size()}) {
    const std::string location = Start().Field("location");
    const TestRequest request{
        .method = "PATCH", .target = location, .fields = "Transfer-Encoding: chunked\r\n"};
    TestClient client = server_.Connect();
    const TestResponse patched = client.Exchange(request.Text() + Chunked(content, chunk));
    EXPECT_EQ(patched.status, 202);
    EXPECT_EQ(patched.Field("range"), "0-299999");
    EXPECT_EQ(Finish(location, DigestOf(content)).status, 201);
    ExpectBlob(content);
  }
}

TEST_F(Uploads, TheWholeBlobInThePut) {
  const std::string location = Start().Field("location");
  EXPECT_EQ(Finish(location, DigestOf("whole"), "whole").status, 201);
  ExpectBlob("whole");
}

TEST_F(Uploads, ADigestAppendedToALocationThatHasNoQuery) {
  const TestResponse finished =
      server_.Call({.method = "PUT",
                    .target = Start().Field("location") + "&digest=" + DigestOf("appended"),
                    .body = "appended"});
  EXPECT_EQ(finished.status, 201) << finished.body;
  ExpectBlob("appended");
}

TEST_F(Uploads, AnEmptyBlob) {
  EXPECT_EQ(Finish(Start().Field("location"), DigestOf("")).status, 201);
  ExpectBlob("");
}

TEST_F(Uploads, ADigestAsGoClientsEscapeIt) {
  std::string digest = DigestOf("foo");
  digest.replace(digest.find(':'), 1, "%3A");
  EXPECT_EQ(Finish(Start().Field("location"), digest, "foo").status, 201);
}

TEST_F(Uploads, ALargeBody) {
  std::string content;
  content.assign(20'000'000, 'z');
  EXPECT_EQ(Finish(Start().Field("location"), DigestOf(content), content).status, 201);
  const TestResponse head =
      server_.Call({.method = "HEAD", .target = "/v2/a/blobs/" + DigestOf(content)});
  EXPECT_EQ(head.Field("content-length"), "20000000");
}

TEST_F(Uploads, ChunksInOrder) {
  const std::string location = Start().Field("location");
  EXPECT_EQ(Patch(location, "abc", "0-2").Field("range"), "0-2");
  const TestResponse asked = server_.Call({.target = location});
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.Field("range"), "0-2");
  EXPECT_EQ(asked.Field("location"), location);
  EXPECT_EQ(asked.Field("content-length"), "");
  EXPECT_EQ(Patch(location, "def", "3-5").Field("range"), "0-5");
  const std::string fields = "Content-Range: 6-8\r\n";
  EXPECT_EQ(Finish(location, DigestOf("abcdefghi"), "ghi", fields).status, 201);
  ExpectBlob("abcdefghi");
}

TEST_F(Uploads, AChunkOutOfOrderLeavesTheSessionUsable) {
  const std::string location = Start().Field("location");
  EXPECT_EQ(Patch(location, "abc", "0-2").status, 202);
  for (const char* range : {"0-2", "5-7", "bytes 3-5/9", "3-1", "x"}) {
    SCOPED_TRACE(range);
    const TestResponse rejected = Patch(location, "def", range);
    EXPECT_EQ(rejected.status, 416);
    EXPECT_EQ(rejected.Field("range"), "0-2");
    EXPECT_EQ(rejected.Field("location"), location);
    EXPECT_EQ(rejected.Field("docker-upload-uuid").empty(), false);
  }
  EXPECT_EQ(Patch(location, "def", "3-9").ErrorCode(), "SIZE_INVALID");
  const TestResponse closing =
      Finish(location, DigestOf("abcdef"), "def", "Content-Range: 9-11\r\n");
  EXPECT_EQ(closing.status, 416);
  EXPECT_EQ(Patch(location, "def", "3-5").status, 202);
  EXPECT_EQ(Finish(location, DigestOf("abcdef")).status, 201);
}

TEST_F(Uploads, AMismatchEndsTheSession) {
  const std::string location = Start().Field("location");
  const TestResponse rejected = Finish(location, DigestOf("other"), "this");
  EXPECT_EQ(rejected.status, 400);
  EXPECT_EQ(rejected.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(server_.Call({.target = location}).status, 404);
  EXPECT_EQ(server_.Call({.target = "/v2/a/blobs/" + DigestOf("other")}).status, 404);
}

TEST_F(Uploads, AFinishNeedsADigest) {
  const std::string location = Start().Field("location");
  const TestResponse missing = server_.Call({.method = "PUT", .target = location, .body = "x"});
  EXPECT_EQ(missing.status, 400);
  EXPECT_EQ(missing.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Finish(location, "md5:abc", "x").ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(Finish(location, DigestOf("x"), "x").status, 201);
}

TEST_F(Uploads, TheWholeBlobInThePost) {
  const TestResponse pushed = server_.Call(
      {.method = "POST", .target = kUploads + ("?digest=" + DigestOf("foo")), .body = "foo"});
  EXPECT_EQ(pushed.status, 201);
  EXPECT_EQ(pushed.Field("location"), "/v2/a/blobs/" + DigestOf("foo"));
  ExpectBlob("foo");
  const TestResponse wrong = server_.Call(
      {.method = "POST", .target = kUploads + ("?digest=" + DigestOf("foo")), .body = "bar"});
  EXPECT_EQ(wrong.ErrorCode(), "DIGEST_INVALID");
  const TestResponse bad = server_.Call(
      {.method = "POST", .target = std::string(kUploads) + "?digest=x", .body = "bar"});
  EXPECT_EQ(bad.ErrorCode(), "DIGEST_INVALID");
  EXPECT_EQ(server_.registry().OpenUploads(), 0u);
}

TEST_F(Uploads, AnUnknownAlgorithmIsRejectedEarly) {
  const std::string target = kUploads;
  EXPECT_EQ(server_.Call({.method = "POST", .target = target + "?digest-algorithm=sha512"}).status,
            202);
  const TestResponse rejected =
      server_.Call({.method = "POST", .target = target + "?digest-algorithm=blake3"});
  EXPECT_EQ(rejected.status, 400);
  EXPECT_EQ(rejected.ErrorCode(), "DIGEST_INVALID");
}

TEST_F(Uploads, ASessionIsCancelled) {
  const std::string location = Start().Field("location");
  EXPECT_EQ(server_.Call({.method = "DELETE", .target = location}).status, 204);
  EXPECT_EQ(server_.Call({.method = "DELETE", .target = location}).ErrorCode(),
            "BLOB_UPLOAD_UNKNOWN");
  EXPECT_EQ(Patch(location, "x").ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(Uploads, ASessionOfAnotherRepositoryIsUnknown) {
  const std::string id = Start().Field("docker-upload-uuid");
  EXPECT_EQ(Patch("/v2/b/blobs/uploads/" + id, "x").ErrorCode(), "BLOB_UPLOAD_UNKNOWN");
}

TEST_F(Uploads, ATruncatedBodyKeepsTheBytesThatArrived) {
  const std::string location = Start().Field("location");
  {
    TestClient client = server_.Connect();
    const TestRequest request{
        .method = "PATCH", .target = location, .fields = "Content-Length: 100\r\n"};
    client.Send(request.Text() + "0123456789");
  }
  EXPECT_TRUE(Eventually([&] {
    const TestResponse asked = server_.Call({.target = location});
    return asked.status == 204 && asked.Field("range") == "0-9";
  }));
}

TEST_F(Uploads, AMalformedChunkIsRejected) {
  const std::string location = Start().Field("location");
  TestClient client = server_.Connect();
  const TestRequest request{
      .method = "PATCH", .target = location, .fields = "Transfer-Encoding: chunked\r\n"};
  const TestResponse rejected = client.Exchange(request.Text() + "3\r\nabcd\r\n0\r\n\r\n");
  EXPECT_EQ(rejected.status, 400);
  EXPECT_EQ(rejected.Field("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

}  // namespace
}  // namespace outport::http
