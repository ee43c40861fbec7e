#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

constexpr const char* kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";
constexpr const char* kOciIndexType = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";

void AddIndex(TestServer& server, const std::string& repository, const std::string& tag) {
  server.registry().AddManifest(repository, tag, std::string(media_type::kOciIndex), kIndex);
}

struct RangeCase {
  const char* range;
  int status;
  const char* content_range;
  size_t from, size;
};

// The conformance suite's blob of 2048 bytes.
TEST(RegistryHttp, ServesPartsOfBlobs) {
  std::string content;
  for (int i = 0; content.size() < 2048; ++i) content += static_cast<char>('a' + i % 26);
  TestServer server;
  const std::string target = "/v2/a/blobs/" + server.registry().AddBlob("a", content).ToString();
  constexpr RangeCase kRanges[] = {
      {"bytes=500-1499", 206, "bytes 500-1499/2048", 500, 1000},
      {"bytes=500-", 206, "bytes 500-2047/2048", 500, 1548},
      {"bytes=-500", 206, "bytes 1548-2047/2048", 1548, 500},
      {"bytes=2000-5000", 206, "bytes 2000-2047/2048", 2000, 48},
      {"bytes=2048-", 416, "bytes */2048", 0, 0},
      {"bytes=5000-6000", 416, "bytes */2048", 0, 0},
  };
  for (const RangeCase& c : kRanges) {
    SCOPED_TRACE(c.range);
    const std::string field = "Range: " + std::string(c.range) + "\r\n";
    const TestResponse response = server.Call({.target = target, .fields = field});
    EXPECT_EQ(response.status, c.status);
    EXPECT_EQ(response.Field("content-range"), c.content_range);
    EXPECT_TRUE(response.complete);
    if (c.status == 206) EXPECT_EQ(response.body, content.substr(c.from, c.size));
  }
}

TEST(RegistryHttp, ServesBlobsWhole) {
  TestServer server;
  const std::string content(3'000'000, 'x');
  const Digest digest = server.registry().AddBlob("a", content);
  const std::string target = "/v2/a/blobs/" + digest.ToString();
  const TestResponse whole = server.Call({.target = target});
  EXPECT_TRUE(whole.body == content);
  EXPECT_EQ(whole.Field("docker-content-digest"), digest.ToString());
  EXPECT_EQ(whole.Field("etag"), '"' + digest.ToString() + '"');
  EXPECT_EQ(whole.Field("accept-ranges"), "bytes");
  EXPECT_EQ(whole.Field("content-type"), "application/octet-stream");
  const uint64_t reads = server.registry().BlobReads();
  const TestResponse head = server.Call({.method = "HEAD", .target = target});
  EXPECT_EQ(head.Field("content-length"), "3000000");
  EXPECT_EQ(head.Field("docker-content-digest"), digest.ToString());
  EXPECT_EQ(server.registry().BlobReads(), reads) << "HEAD read the blob";
}

TEST(RegistryHttp, I1AFailedBlobReadTruncatesTheResponse) {
  TestServer server;
  const std::string content(1'000'000, 'x');
  const std::string target = "/v2/a/blobs/" + server.registry().AddBlob("a", content).ToString();
  server.registry().BreakBlobsAt(500'000);
  const TestResponse truncated = server.Call({.target = target});
  EXPECT_EQ(truncated.status, 200);
  EXPECT_FALSE(truncated.complete);
  EXPECT_LE(truncated.body.size(), 500'000u);
  // If nothing was sent yet, the response is an error.
  server.registry().BreakBlobsAt(0);
  const TestResponse failed = server.Call({.target = target});
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.ErrorCode(), "UNKNOWN");
  EXPECT_EQ(failed.body.find("broken"), std::string::npos) << "the cause is for the log";
  EXPECT_NE(failed.body.find(failed.Field("x-request-id")), std::string::npos);
}

TEST(RegistryHttp, ServesTheManifestThatWasPushed) {
  TestServer server;
  const TestResponse pushed = server.Call(
      {.method = "PUT", .target = "/v2/a/manifests/v1", .fields = kOciIndexType, .body = kIndex});
  ASSERT_EQ(pushed.status, 201) << pushed.body;
  const std::string digest = pushed.Field("docker-content-digest");
  EXPECT_EQ(pushed.Field("location"), "/v2/a/manifests/" + digest);
  EXPECT_EQ(pushed.Field("outport-sequence"), "1");
  for (const std::string& target : {std::string("/v2/a/manifests/v1"), pushed.Field("location")}) {
    const TestResponse got = server.Call({.target = target});
    EXPECT_EQ(got.body, kIndex);
    EXPECT_EQ(got.Field("content-type"), media_type::kOciIndex);
    EXPECT_EQ(got.Field("docker-content-digest"), digest);
    EXPECT_EQ(got.Field("etag"), '"' + digest + '"');
    EXPECT_EQ(got.Field("age"), "");
    const TestResponse head = server.Call({.method = "HEAD", .target = target});
    EXPECT_EQ(head.Field("content-length"), std::to_string(std::string(kIndex).size()));
    EXPECT_EQ(head.Field("content-type"), media_type::kOciIndex);
    EXPECT_EQ(head.Field("docker-content-digest"), digest);
  }
}

TEST(RegistryHttp, AcknowledgesASubject) {
  TestServer server;
  const std::string subject = Digest::Of(DigestAlgorithm::kSha256, AsBytes("none")).ToString();
  const std::string body =
      R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],)"
      R"("subject":{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":4,"digest":")" +
      subject + R"("}})";
  const TestResponse pushed =
      server.Call({.method = "PUT", .target = "/v2/a/manifests/v1", .body = body});
  ASSERT_EQ(pushed.status, 201) << pushed.body;
  EXPECT_EQ(pushed.Field("oci-subject"), subject);
}

TEST(RegistryHttp, NamesEveryMissingBlob) {
  TestServer server;
  server.registry().FailNext(Error{ErrorCode::kManifestBlobUnknown, "not here", {"one", "two"}});
  const TestResponse rejected = server.Call(
      {.method = "PUT", .target = "/v2/a/manifests/v1", .fields = kOciIndexType, .body = kIndex});
  EXPECT_EQ(rejected.status, 400);
  EXPECT_EQ(rejected.body,
            R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"not here","detail":"one"},)"
            R"({"code":"MANIFEST_BLOB_UNKNOWN","detail":"two"}]})"
            "\n");
}

TEST(RegistryHttp, LimitsAManifest) {
  TestServer server;
  std::string body = kIndex;
  body += std::string(kMaxManifestBytes - body.size(), ' ');
  const TestRequest fits{.method = "PUT", .target = "/v2/a/manifests/v1", .body = body};
  EXPECT_EQ(server.Call(fits).status, 201);
  const TestRequest too_large{.method = "PUT", .target = "/v2/a/manifests/v1", .body = body + " "};
  const TestResponse rejected = server.Call(too_large);
  EXPECT_EQ(rejected.status, 413);
  EXPECT_EQ(rejected.ErrorCode(), "MANIFEST_INVALID");
}

TEST(RegistryHttp, I3AnOldAnswerSaysHowOldItIs) {
  TestServer server;
  AddIndex(server, "team/app", "v1");
  server.registry().SetStaleness(Staleness{.age = std::chrono::seconds(90)});
  for (const char* target : {"/v2/team/app/manifests/v1", "/v2/team/app/tags/list"}) {
    const TestResponse stale = server.Call({.target = target});
    EXPECT_EQ(stale.Field("age"), "90");
    EXPECT_EQ(stale.Field("warning"),
              "299 - \"the store is unreachable; this answer is 90 seconds old\"");
  }
}

TEST(RegistryHttp, I4UnknownIsNotAbsent) {
  TestServer server;
  AddIndex(server, "team/app", "v1");
  server.registry().FailNext(Error{ErrorCode::kUnavailable, "the store cannot be reached"});
  const TestResponse rejected = server.Call({.target = "/v2/team/app/manifests/v1"});
  EXPECT_EQ(rejected.status, 503);
  EXPECT_EQ(rejected.ErrorCode(), "UNAVAILABLE");
  EXPECT_EQ(rejected.Field("retry-after"), "5");
}

TEST(RegistryHttp, PagesThroughLists) {
  TestServer server;
  for (const char* tag : {"a", "b", "c", "d", "e"}) {
    AddIndex(server, "r", tag);
  }
  const TestResponse all = server.Call({.target = "/v2/r/tags/list"});
  EXPECT_EQ(all.body, R"({"name":"r","tags":["a","b","c","d","e"]})");
  EXPECT_EQ(all.Field("link"), "");
  const TestResponse first = server.Call({.target = "/v2/r/tags/list?n=2"});
  EXPECT_EQ(first.body, R"({"name":"r","tags":["a","b"]})");
  EXPECT_EQ(first.Field("link"), "</v2/r/tags/list?last=b&n=2>; rel=\"next\"");
  const TestResponse last = server.Call({.target = "/v2/r/tags/list?last=c&n=2"});
  EXPECT_EQ(last.body, R"({"name":"r","tags":["d","e"]})");
  EXPECT_EQ(last.Field("link"), "");
  EXPECT_EQ(server.Call({.target = "/v2/r/tags/list?n=0"}).body, R"({"name":"r","tags":[]})");
  EXPECT_EQ(server.Call({.target = "/v2/r/tags/list?last=zz"}).body, R"({"name":"r","tags":[]})");
}

TEST(RegistryHttp, TheCatalogListsRepositoriesThatTheCallerMayPull) {
  TestServer server;
  for (const char* name : {"alpha", "team/a", "team/b", "zeta"}) {
    server.registry().AddBlob(name, "x");
  }
  EXPECT_EQ(server.Call({.target = "/v2/_catalog"}).body,
            R"({"repositories":["alpha","team/a","team/b","zeta"]})");
  EXPECT_EQ(server.Call({.target = "/v2/_catalog", .user = "bob:builder"}).body,
            R"({"repositories":["team/a","team/b"]})");
  EXPECT_EQ(server.Call({.target = "/v2/_catalog", .user = "carol:singer"}).body,
            R"({"repositories":[]})");
  const TestResponse page = server.Call({.target = "/v2/_catalog?n=1&last=alpha"});
  EXPECT_EQ(page.Field("link"), "</v2/_catalog?last=team%2Fa&n=1>; rel=\"next\"");
}

TEST(RegistryHttp, OnlyAnAnswerWithTheManifestIsAPull) {
  TestServer server;
  AddIndex(server, "team/app", "v1");
  const std::string target = "/v2/team/app/manifests/v1";
  const TestResponse head = server.Call({.method = "HEAD", .target = target});
  ASSERT_EQ(head.status, 200);
  const std::string known = "If-None-Match: \"" + head.Field("docker-content-digest") + "\"\r\n";
  EXPECT_EQ(server.Call({.target = target, .fields = known}).status, 304);
  EXPECT_EQ(server.registry().ManifestReads(), 0u);
  EXPECT_EQ(server.Call({.target = target, .fields = "If-None-Match: \"other\"\r\n"}).status, 200);
  EXPECT_EQ(server.registry().ManifestReads(), 1u);
}

TEST(RegistryHttp, PassesTheCallerToTheRegistry) {
  TestServer server;
  AddIndex(server, "team/app", "v1");
  const TestResponse response = server.Call({.target = "/v2/team/app/manifests/v1",
                                             .user = "bob:builder",
                                             .fields = "Outport-Min-Sequence: 4711\r\n"});
  const Caller caller = server.registry().LastCaller().value();
  EXPECT_EQ(caller.user, "bob");
  ASSERT_NE(caller.password, nullptr);
  EXPECT_EQ(caller.password->text(), "builder");
  EXPECT_EQ(caller.min_sequence, 4711u);
  EXPECT_EQ(caller.certificate_name, "desktop");
  EXPECT_EQ(caller.address, "127.0.0.1");
  EXPECT_EQ(ToString(caller.holder), "user:bob");
  EXPECT_EQ(caller.request_id, response.Field("x-request-id"));
}

TEST(RegistryHttp, CountsItsRequests) {
  TestServer server;
  server.Call({.target = "/v2/"});
  server.Call({.target = "/v2/", .user = ""});
  for (const char* line :
       {"outport_http_requests_total{method=\"GET\",route=\"ping\",status=\"2xx\"} 1",
        "outport_http_requests_total{method=\"GET\",route=\"none\",status=\"4xx\"} 1",
        "outport_http_request_duration_seconds_count{route=\"ping\"} 1"}) {
    // The request is counted after its response is sent.
    EXPECT_TRUE(Eventually([&] {
      return server.metrics().Render().find(line) != std::string::npos;
    })) << line;
  }
}

}  // namespace
}  // namespace outport::http
