#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tests/http/fixture.h"
#include "tests/support/sanitizer.h"

namespace outport::http {
namespace {

using namespace std::chrono_literals;

const std::string kPing = TestRequest{}.Text();

std::string BlobTarget(const Digest& digest) { return "/v2/a/blobs/" + digest.ToString(); }

TEST(RegistryServer, ServesManyClientsAtOnce) {
  TestServer server;
  const std::string content(300'000, 'x');
  const std::string target = BlobTarget(server.registry().AddBlob("a", content));
  std::atomic<int> right = 0;
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      TestClient client = server.Connect();
      for (int k = 0; k < 20; ++k) {
        if (client.Exchange(TestRequest{.target = target}.Text()).body == content) ++right;
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(right, 160);
}

// Without free file descriptors, the server pauses between accepts; then it continues.
TEST(RegistryServer, SurvivesTheLackOfFileDescriptors) {
  if (testing_support::kSanitized) GTEST_SKIP() << "the sanitizer needs file descriptors itself";
  TestServer server;
  EXPECT_EQ(server.Call({}).status, 200);
  const auto failures = [&server] {
    return server.metrics()
        .Counter("outport_http_accept_failures_total", "Connections that could not be accepted.",
                 {{"server", "registry"}})
        .Value();
  };
  TestClient client = TestClient::Unconnected();
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  const int lowest_free = ::dup(0);
  ::close(lowest_free);
  const rlimit none{.rlim_cur = static_cast<rlim_t>(lowest_free), .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  client.ConnectTo(server.port());
  EXPECT_TRUE(Eventually([&] { return failures() >= 1; }));
  EXPECT_LE(failures(), 20);
  ::setrlimit(RLIMIT_NOFILE, &before);
  client.Send("this is not TLS\r\n\r\n");
  bool closed = false;
  client.ReceiveAll(closed);
  EXPECT_TRUE(closed);
  EXPECT_EQ(server.Call({}).status, 200);
}

TEST(RegistryServer, LimitsItsConnections) {
  TestServer server(HttpLimits{.connections = 2});
  TestClient first = server.Connect();
  EXPECT_EQ(first.Exchange(kPing).status, 200);
  {
    TestClient second = server.Connect();
    EXPECT_EQ(second.Exchange(kPing).status, 200);
    EXPECT_FALSE(server.Connect().connected());
    EXPECT_EQ(first.Exchange(kPing).status, 200);
  }
  EXPECT_TRUE(Eventually([&] { return server.Connect().connected(); }));
}

TEST(RegistryServer, StopClosesIdleConnectionsAndDrainsRequests) {
  TestServer server;
  const Digest digest = server.registry().AddBlob("a", std::string(500'000, 'x'));
  server.registry().HoldBlobs();
  TestClient idle = server.Connect();
  EXPECT_EQ(idle.Exchange(kPing).status, 200);
  TestClient busy = server.Connect();
  busy.Send(TestRequest{.target = BlobTarget(digest)}.Text());
  EXPECT_TRUE(Eventually([&] { return server.registry().BlobReads() == 1; }));

  std::thread stopper([&] { server.Stop(20s); });
  EXPECT_TRUE(idle.IsClosed());
  EXPECT_TRUE(Eventually([&] { return !server.Connect().connected(); }));
  server.registry().ReleaseBlobs();
  const TestResponse response = busy.Receive();
  EXPECT_EQ(response.body.size(), 500'000u);
  EXPECT_TRUE(busy.IsClosed());
  stopper.join();
}

TEST(RegistryServer, StopClosesConnectionsAtTheDeadline) {
  TestServer server;
  const Digest digest = server.registry().AddBlob("a", std::string(64 << 20, 'x'));
  TestClient stuck = server.Connect();
  stuck.Send(TestRequest{.target = BlobTarget(digest)}.Text());
  EXPECT_TRUE(Eventually([&] { return server.registry().BlobReads() > 0; }));
  server.Stop(100ms);
  EXPECT_FALSE(stuck.Receive().complete);
}

TEST(RegistryServer, ListenReportsWhyItFails) {
  TestServer server;
  net::io_context context;
  Metrics metrics;
  AccessDirectory users;
  SystemClock clock;
  BlockingPool pool("bcrypt", 1, 1);
  Authenticator authenticator(users, pool, clock, metrics, {});
  MemoryRegistry registry;
  const auto listen = [&](const std::string& address) {
    RegistryServer other({.listen = address}, {.executor = context.get_executor(),
                                               .tls = nullptr,
                                               .registry = registry,
                                               .directory = users,
                                               .authenticator = authenticator,
                                               .clock = clock,
                                               .metrics = metrics,
                                               .log = Log::Nowhere()});
    const auto listened = other.Listen();
    return listened.has_value() ? std::string() : listened.error().message;
  };
  const std::string taken = "127.0.0.1:" + std::to_string(server.port());
  EXPECT_EQ(listen(taken), "listening on " + taken + ": Address already in use");
  EXPECT_EQ(listen("127.0.0.1:0"), "");
  for (const char* bad : {"", "localhost:1", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"}) {
    EXPECT_NE(listen(bad).find("is not a"), std::string::npos) << bad;
  }
  EXPECT_NE(listen(":5000").find("has no host"), std::string::npos);
}

}  // namespace
}  // namespace outport::http
