#include <vector>

#include "tests/http/fixture.h"

namespace outport::http {
namespace {

const std::string kPing = TestRequest{}.Text();

// Opens many connections from one address or several.
class ConnectionLimitsTest : public testing::Test {
 protected:
  void Connect(size_t count, const ClientIdentity* identity, const char* source) {
    for (size_t i = 0; i < count; ++i) {
      clients_.push_back(TestClient::Tls(server_.port(), identity, source));
    }
  }
  // Whether a new client from `source` gets a response. The client stays connected.
  bool IsServed(const char* source) {
    clients_.push_back(TestClient::Tls(server_.port(), &TestFleet::Get().desktop, source));
    return clients_.back().connected() && clients_.back().Exchange(kPing).status == 200;
  }
  double Rejected() {
    return server_.metrics()
        .Counter("outport_http_connections_rejected_total",
                 "Connections closed at accept because no slot was free.", {{"server", "registry"}})
        .Value();
  }
  double Evicted() {
    return server_.metrics()
        .Counter("outport_http_connections_evicted_total",
                 "Unauthenticated connections evicted to free a slot for a new connection.",
                 {{"server", "registry"}})
        .Value();
  }

  TestServer server_{HttpLimits{.connections = 20, .connections_of_one_address = 8}};
  std::vector<TestClient> clients_;
};

TEST_F(ConnectionLimitsTest, IdleConnectionsBlockNobody) {
  for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    for (int i = 0; i < 30; ++i) clients_.push_back(TestClient::Plain(server_.port(), source));
  }
  EXPECT_TRUE(IsServed("127.0.0.1")) << "from an address with many connections";
  EXPECT_TRUE(IsServed("127.0.0.5")) << "from another one";
  EXPECT_GE(Evicted(), 100);
}

TEST_F(ConnectionLimitsTest, ConnectionsWithoutCertificatesBlockNobody) {
  TestClient authenticated = server_.Connect();
  EXPECT_EQ(authenticated.Exchange(kPing).status, 200);
  for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) Connect(12, nullptr, source);
  EXPECT_TRUE(IsServed("127.0.0.1"));
  EXPECT_TRUE(IsServed("127.0.0.4"));
  EXPECT_EQ(authenticated.Exchange(kPing).status, 200)
      << "authenticated connections are not evicted";
}

TEST_F(ConnectionLimitsTest, OneAddressLeavesSlotsToOthers) {
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(IsServed("127.0.0.1"));
  EXPECT_FALSE(IsServed("127.0.0.1"));
  EXPECT_EQ(Rejected(), 1);
  EXPECT_TRUE(IsServed("127.0.0.2"));
  clients_.clear();
  EXPECT_TRUE(Eventually([&] { return IsServed("127.0.0.1"); }))
      << "a closed connection releases its slot";
}

TEST_F(ConnectionLimitsTest, AuthenticatedConnectionsAreLimited) {
  for (int i = 0; i < 7; ++i) {
    for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) {
      EXPECT_EQ(IsServed(source), i * 3 + source[8] - '0' <= 20) << i << " from " << source;
    }
  }
  EXPECT_EQ(Rejected(), 1);
}

}  // namespace
}  // namespace outport::http
