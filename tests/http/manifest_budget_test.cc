#include <vector>

#include "registry/oci/manifest.h"
#include "tests/http/fixture.h"

namespace outport::http {
namespace {

constexpr uint64_t kMiB = 1 << 20;
constexpr const char* kType = "Content-Type: application/vnd.oci.image.index.v1+json\r\n";
constexpr const char* kIndex =
    R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]})";

// The header of a push of `size` bytes.
std::string PushHead(uint64_t size) {
  return TestRequest{.method = "PUT",
                     .target = "/v2/a/manifests/v1",
                     .fields = kType + ("Content-Length: " + std::to_string(size) + "\r\n")}
      .Text();
}

double HeldBytes(TestServer& server) {
  return server.metrics()
      .Gauge("outport_http_manifest_memory_bytes",
             "Bytes in memory of manifests that are pushed and pulled.")
      .Value();
}

double Refusals(TestServer& server) {
  return server.metrics()
      .Counter("outport_http_manifest_memory_rejections_total",
               "Requests rejected because the memory limit was reached by manifests that are "
               "pushed and pulled.")
      .Value();
}

void ExpectBusy(const TestResponse& response) {
  EXPECT_EQ(response.status, 429);
  EXPECT_EQ(response.ErrorCode(), "TOOMANYREQUESTS");
  EXPECT_EQ(response.Field("retry-after"), "1");
  EXPECT_NE(response.body.find("manifests"), std::string::npos) << response.body;
}

TEST(I8ManifestsInMemoryAreLimited, OfPushesThatStall) {
  TestServer server(HttpLimits{.manifest_bytes = 11 * kMiB});
  std::vector<TestClient> stalled;
  for (int i = 0; i < 10; ++i) {
    stalled.push_back(server.Connect());
    stalled.back().Send(PushHead(kMaxManifestBytes));
    if (i < 2) {
      EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == (i + 1) * 4.0 * kMiB; }));
      stalled.back().Send(std::string(kMaxManifestBytes - 1, ' '));
    } else {
      ExpectBusy(stalled.back().Receive());
    }
  }
  EXPECT_EQ(Refusals(server), 8);
  // A manifest that fits is accepted, and other errors are still reported.
  EXPECT_EQ(
      server
          .Call({.method = "PUT", .target = "/v2/a/manifests/v1", .fields = kType, .body = kIndex})
          .status,
      201);
  TestClient too_large = server.Connect();
  EXPECT_EQ(too_large.Exchange(PushHead(kMaxManifestBytes + 1)).status, 413);
  stalled.clear();
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == 0; }));
}

TEST(I8ManifestsInMemoryAreLimited, OfPushesThatDoNotSayTheirSize) {
  TestServer server(HttpLimits{.manifest_bytes = 6 * kMiB});
  const TestRequest push{.method = "PUT",
                         .target = "/v2/a/manifests/v1",
                         .fields = kType + std::string("Transfer-Encoding: chunked\r\n")};
  const std::string chunk = "100000\r\n" + std::string(kMiB, ' ') + "\r\n";
  TestClient first = server.Connect();
  first.Send(push.Text() + chunk + chunk + chunk);
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == 3.0 * kMiB; }));
  TestClient second = server.Connect();
  second.Send(push.Text() + chunk);
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == 4.0 * kMiB; }));
  second.Send(chunk + chunk);
  ExpectBusy(second.Receive());
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == 3.0 * kMiB; }));
}

TEST(I8ManifestsInMemoryAreLimited, OfPullsThatAreNotRead) {
  TestServer server(HttpLimits{.manifest_bytes = 48 * kMiB});
  // Larger than any pushed manifest, and than the kernel's buffers.
  server.registry().AddManifest("a", "large", std::string(media_type::kOciIndex),
                                std::string(16 * kMiB, ' '));
  server.registry().AddManifest("a", "small", std::string(media_type::kOciIndex), kIndex);
  std::vector<TestClient> slow;
  for (int i = 0; i < 10; ++i) {
    slow.push_back(server.Connect());
    slow.back().Send(TestRequest{.target = "/v2/a/manifests/large"}.Text());
    if (i < 2) {
      EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == (i + 1) * 16.0 * kMiB; }));
    } else {
      ExpectBusy(slow.back().Receive());
    }
  }
  EXPECT_EQ(server.Call({.target = "/v2/a/manifests/small"}).body, kIndex);
  EXPECT_EQ(server.Call({.method = "HEAD", .target = "/v2/a/manifests/large"}).status, 200);
  EXPECT_EQ(slow.front().Receive().body.size(), 16 * kMiB);
  slow.clear();
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) == 0; }));
}

// If the maximum size does not fit into the budget, the manifest's own size is reserved.
TEST(I8ManifestsInMemoryAreLimited, AndSmallOnesPassLargeOnes) {
  TestServer server(HttpLimits{.manifest_bytes = 4 * kMiB});
  const Digest digest =
      server.registry().AddManifest("a", "v1", std::string(media_type::kOciIndex), kIndex);
  TestClient stalled = server.Connect();
  stalled.Send(PushHead(3 * kMiB));
  EXPECT_TRUE(Eventually([&] { return HeldBytes(server) > 0; }));
  for (const std::string& reference : {std::string("v1"), digest.ToString()}) {
    const TestResponse pulled = server.Call({.target = "/v2/a/manifests/" + reference});
    EXPECT_EQ(pulled.status, 200);
    EXPECT_EQ(pulled.body, kIndex);
  }
  const TestResponse absent = server.Call({.target = "/v2/a/manifests/v2"});
  EXPECT_EQ(absent.ErrorCode(), "MANIFEST_UNKNOWN");
}

}  // namespace
}  // namespace outport::http
