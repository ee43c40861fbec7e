#include <vector>

#include "tests/http/fixture.h"

namespace outport::http {
namespace {

const std::string kPing = TestRequest{}.Text();

// Many connections from one address or several, and who gets in beside them.
class RegistryCrowd : public testing::Test {
 protected:
  void Crowd(size_t count, const ClientIdentity* identity, const char* source) {
    for (size_t i = 0; i < count; ++i) {
      crowd_.push_back(TestClient::Tls(server_.port(), identity, source));
    }
  }
  // Whether a client from `source` gets an answer; it stays.
  bool GetsIn(const char* source) {
    crowd_.push_back(TestClient::Tls(server_.port(), &TestFleet::Get().desktop, source));
    return crowd_.back().connected() && crowd_.back().Exchange(kPing).status == 200;
  }
  double Refused() {
    return server_.metrics()
        .Counter("outport_http_connections_rejected_total",
                 "Connections closed at accept because no slot was free.", {{"server", "registry"}})
        .Value();
  }
  double Displaced() {
    return server_.metrics()
        .Counter("outport_http_connections_evicted_total",
                 "Unauthenticated connections evicted to free a slot for a new connection.",
                 {{"server", "registry"}})
        .Value();
  }

  TestServer server_{HttpLimits{.connections = 20, .connections_of_one_address = 8}};
  std::vector<TestClient> crowd_;
};

TEST_F(RegistryCrowd, ThatSaysNothingShutsNobodyOut) {
  for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4"}) {
    for (int i = 0; i < 30; ++i) crowd_.push_back(TestClient::Plain(server_.port(), source));
  }
  EXPECT_TRUE(GetsIn("127.0.0.1")) << "from an address of the crowd";
  EXPECT_TRUE(GetsIn("127.0.0.5")) << "from another one";
  EXPECT_GE(Displaced(), 100);
}

TEST_F(RegistryCrowd, WithoutCertificatesShutsNobodyOut) {
  TestClient known = server_.Connect();
  EXPECT_EQ(known.Exchange(kPing).status, 200);
  for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) Crowd(12, nullptr, source);
  EXPECT_TRUE(GetsIn("127.0.0.1"));
  EXPECT_TRUE(GetsIn("127.0.0.4"));
  EXPECT_EQ(known.Exchange(kPing).status, 200) << "who is known makes no place";
}

TEST_F(RegistryCrowd, OfOneAddressLeavesPlacesToOthers) {
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(GetsIn("127.0.0.1"));
  EXPECT_FALSE(GetsIn("127.0.0.1"));
  EXPECT_EQ(Refused(), 1);
  EXPECT_TRUE(GetsIn("127.0.0.2"));
  crowd_.clear();
  EXPECT_TRUE(Eventually([&] { return GetsIn("127.0.0.1"); })) << "who left gave its place back";
}

TEST_F(RegistryCrowd, OfKnownClientsIsLimited) {
  for (int i = 0; i < 7; ++i) {
    for (const char* source : {"127.0.0.1", "127.0.0.2", "127.0.0.3"}) {
      EXPECT_EQ(GetsIn(source), i * 3 + source[8] - '0' <= 20) << i << " from " << source;
    }
  }
  EXPECT_EQ(Refused(), 1);
}

}  // namespace
}  // namespace outport::http
