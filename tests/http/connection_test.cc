#include <thread>

#include "tests/http/fixture.h"

namespace outport::http {
namespace {

using namespace std::chrono_literals;

const std::string kPing = TestRequest{}.Text();

constexpr const char* kSmuggled =
    "PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

std::string BlobTarget(const Digest& digest) { return "/v2/a/blobs/" + digest.ToString(); }

struct CertificateCase {
  const char* what;
  const ClientIdentity* identity;
  const char* says;
};

TEST(RegistryConnection, I6RejectsClientsWithoutACertificateOfTheFleet) {
  TestServer server;
  server.registry().AddBlob("a", "foo");
  const TestFleet& fleet = TestFleet::Get();
  const CertificateCase kCases[] = {
      {"none", nullptr, "No required SSL certificate was sent"},
      {"of another authority", &fleet.foreign, "unknown authority"},
      {"of a node", &fleet.node, "node"},
  };
  for (const CertificateCase& c : kCases) {
    SCOPED_TRACE(c.what);
    for (const char* user : {"alice:wonder", ""}) {
      TestClient client = TestClient::Tls(server.port(), c.identity);
      ASSERT_TRUE(client.connected()) << "the handshake must not tell";
      const TestResponse rejected = client.Exchange(TestRequest{.user = user}.Text());
      EXPECT_EQ(rejected.status, 400);
      EXPECT_EQ(rejected.ErrorCode(), "UNAUTHORIZED");
      EXPECT_NE(rejected.body.find(c.says), std::string::npos) << rejected.body;
      EXPECT_EQ(rejected.Field("connection"), "close");
      EXPECT_TRUE(client.IsClosed());
    }
  }
  EXPECT_FALSE(server.registry().LastCaller().has_value()) << "the registry was asked";
}

// The response arrives although the client keeps sending: no reset overtakes it.
TEST(RegistryConnection, ARejectionArrivesWhileTheClientSendsALargeBody) {
  TestServer server;
  TestClient client = TestClient::Tls(server.port(), nullptr);
  const TestRequest request{.method = "PUT",
                            .target = "/v2/a/blobs/uploads/x?digest=y",
                            .fields = "Content-Length: 30000000\r\n"};
  client.Send(request.Text());
  std::thread sender([&client] {
    // A client that sends everything before it reads. (A second thread would share the SSL object.)
    client.Send(std::string(4'000'000, 'x'));
  });
  sender.join();
  const TestResponse rejected = client.Receive();
  EXPECT_EQ(rejected.status, 400);
  EXPECT_TRUE(rejected.complete);
}

TEST(RegistryConnection, I6AUserIsCheckedWithEveryRequest) {
  TestServer server;
  TestClient client = server.Connect();
  EXPECT_EQ(client.Exchange(kPing).status, 200);
  const TestRequest wrong{.user = "alice:wrong"};
  EXPECT_EQ(client.Exchange(wrong.Text()).status, 401);
  const TestRequest other{.user = "bob:builder"};
  EXPECT_EQ(client.Exchange(other.Text()).status, 200);
}

TEST(RegistryConnection, CarriesManyRequests) {
  TestServer server;
  TestClient client = server.Connect();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Exchange(kPing).status, 200);
  // Rejections and small unread bodies do not end the connection either.
  EXPECT_EQ(client.Exchange(TestRequest{.target = "/v2/BAD/tags/list"}.Text()).status, 400);
  const TestRequest unread{
      .method = "PUT", .target = "/v2/BAD/manifests/x", .body = std::string(60'000, 'x')};
  EXPECT_EQ(client.Exchange(unread.Text()).status, 400);
  EXPECT_EQ(client.Exchange(kPing).status, 200);
}

TEST(RegistryConnection, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  const Digest first = server.registry().AddBlob("a", "first");
  const Digest second = server.registry().AddBlob("a", std::string(200'000, '2'));
  const TestRequest upload{.method = "POST",
                           .target = "/v2/a/blobs/uploads/",
                           .fields = "Transfer-Encoding: chunked\r\n"};
  TestClient client = server.Connect();
  client.Send(TestRequest{.target = BlobTarget(first)}.Text() +
              TestRequest{.method = "HEAD", .target = BlobTarget(first)}.Text() +
              TestRequest{.target = BlobTarget(second)}.Text() +
              TestRequest{.method = "POST",
                          .target = "/v2/a/blobs/uploads/?digest=" +
                                    Digest::Of(DigestAlgorithm::kSha256, AsBytes("xyz")).ToString(),
                          .fields = "Transfer-Encoding: chunked\r\n"}
                  .Text() +
              "2\r\nxy\r\n1\r\nz\r\n0\r\n\r\n\r\n" + kPing);
  EXPECT_EQ(client.Receive().body, "first");
  EXPECT_EQ(client.Receive(/*head=*/true).Field("content-length"), "5");
  EXPECT_EQ(client.Receive().body.size(), 200'000u);
  EXPECT_EQ(client.Receive().status, 201);
  EXPECT_EQ(client.Receive().body, "{}");
}

TEST(RegistryConnection, ClosesWhenTheClientAsksForIt) {
  TestServer server;
  TestClient client = server.Connect();
  const TestResponse last = client.Exchange(TestRequest{.fields = "Connection: close\r\n"}.Text());
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.Field("connection"), "close");
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, AnswersAClientThatHalfClosed) {
  TestServer server;
  const Digest digest = server.registry().AddBlob("a", std::string(2'000'000, 'x'));
  TestClient client = server.Connect();
  client.Send(TestRequest{.target = BlobTarget(digest)}.Text());
  client.HalfClose();
  const TestResponse response = client.Receive();
  EXPECT_EQ(response.body.size(), 2'000'000u);
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, RejectsInvalidRequestsAndCloses) {
  TestServer server;
  const char* const kCases[] = {
      "GET /v2/ HTTP/1.1\r\n\r\n",
      kSmuggled,
      "PUT /v2/ HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
      "GET /v2/ HTTP/1.1\r\nHost: a\r\nX: y\r\n folded\r\n\r\n",
      "junk\r\n\r\n",
  };
  for (const char* text : kCases) {
    SCOPED_TRACE(text);
    TestClient client = server.Connect();
    const TestResponse rejected = client.Exchange(text);
    EXPECT_EQ(rejected.status, 400);
    EXPECT_EQ(rejected.ErrorCode(), "UNSUPPORTED");
    EXPECT_EQ(rejected.Field("connection"), "close");
    EXPECT_TRUE(client.IsClosed()) << "more than one answer";
  }
}

TEST(RegistryConnection, LimitsAHeader) {
  TestServer server(HttpLimits{.header_bytes = 2000});
  TestClient client = server.Connect();
  const TestRequest fits{.fields = "X-Long: " + std::string(1000, 'x') + "\r\n"};
  EXPECT_EQ(client.Exchange(fits.Text()).status, 200);
  const TestRequest too_long{.fields = "X-Long: " + std::string(3000, 'x') + "\r\n"};
  EXPECT_EQ(client.Exchange(too_long.Text()).status, 431);
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, Sends100ContinueForAnAcceptedBody) {
  TestServer server;
  const std::string digest = Digest::Of(DigestAlgorithm::kSha256, AsBytes("foo")).ToString();
  const TestRequest request{.method = "POST",
                            .target = "/v2/a/blobs/uploads/?digest=" + digest,
                            .fields = "Expect: 100-continue\r\nContent-Length: 3\r\n"};
  TestClient client = server.Connect();
  EXPECT_EQ(client.Exchange(request.Text()).status, 100);
  EXPECT_EQ(client.Exchange("foo").status, 201);
  EXPECT_EQ(client.Exchange(kPing).status, 200);
}

TEST(RegistryConnection, SendsNo100ContinueForARejectedBody) {
  TestServer server;
  const std::string expects = "Expect: 100-continue\r\nContent-Length: 3\r\n";
  const TestRequest kCases[] = {
      {.method = "POST", .target = "/v2/a/blobs/uploads/?digest=bad", .fields = expects},
      {.method = "PUT", .target = "/v2/a/manifests/v1", .user = "carol:singer", .fields = expects},
      {.method = "PUT", .target = "/v2/a/manifests/v1", .user = "", .fields = expects},
      {.method = "PUT",
       .target = "/v2/a/manifests/v1",
       .fields = "Expect: 100-continue\r\nContent-Length: 9000000\r\n"},
  };
  for (const TestRequest& request : kCases) {
    TestClient client = server.Connect();
    const TestResponse rejected = client.Exchange(request.Text());
    EXPECT_GE(rejected.status, 400);
    EXPECT_EQ(rejected.Field("connection"), "close");
    EXPECT_TRUE(client.IsClosed());
  }
}

TEST(RegistryConnection, TimesOutASlowHeader) {
  TestServer server(HttpLimits{.header = 300ms});
  TestClient client = server.Connect();
  EXPECT_EQ(client.Exchange("GET /v2/ HTTP/1.1\r\nHost:").status, 408);
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, ClosesAnIdleConnectionSilently) {
  TestServer server(HttpLimits{.idle = 300ms});
  TestClient client = server.Connect();
  EXPECT_EQ(client.Exchange(kPing).status, 200);
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, ClosesAConnectionWithoutARequest) {
  TestServer server(HttpLimits{.header = 300ms});
  EXPECT_TRUE(server.Connect().IsClosed());
}

TEST(RegistryConnection, TimesOutABodyThatStops) {
  TestServer server(HttpLimits{.progress = 300ms});
  TestClient client = server.Connect();
  const TestRequest request{
      .method = "PUT", .target = "/v2/a/manifests/v1", .fields = "Content-Length: 100\r\n"};
  const TestResponse rejected = client.Exchange(request.Text() + "half");
  EXPECT_EQ(rejected.status, 408);
  EXPECT_TRUE(client.IsClosed());
}

TEST(RegistryConnection, TimesOutAHandshakeThatStops) {
  TestServer server(HttpLimits{.handshake = 300ms});
  TestClient client = TestClient::Plain(server.port());
  EXPECT_TRUE(client.IsClosed());
  EXPECT_TRUE(Eventually([&] {
    return server.metrics().Render().find("outport_http_handshake_failures_total 1") !=
           std::string::npos;
  }));
}

TEST(RegistryConnection, RejectsPlainHttpAtOnce) {
  TestServer server;
  TestClient client = TestClient::Plain(server.port());
  client.Send("GET /v2/ HTTP/1.1\r\nHost: a\r\n\r\n");
  bool closed = false;
  client.ReceiveAll(closed);
  EXPECT_TRUE(closed);
}

TEST(RegistryConnection, TimesOutAClientThatStopsReading) {
  TestServer server(HttpLimits{.progress = 300ms});
  const Digest digest = server.registry().AddBlob("a", std::string(64 << 20, 'x'));
  TestClient client = server.Connect();
  client.Send(TestRequest{.target = BlobTarget(digest)}.Text());
  EXPECT_TRUE(Eventually([&] {
    return server.metrics().Render().find("outport_http_responses_truncated_total 1") !=
           std::string::npos;
  }));
  EXPECT_FALSE(client.Receive().complete);
}

}  // namespace
}  // namespace outport::http
