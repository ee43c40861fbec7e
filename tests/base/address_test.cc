#include "registry/base/address.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

struct Case {
  const char* text;
  const char* host;  // nullptr: rejected
  uint16_t port;
};

constexpr Case kCases[] = {
    {"0.0.0.0:5000", "0.0.0.0", 5000},
    {"store.example.com:5001", "store.example.com", 5001},
    {"[::1]:0", "::1", 0},
    {"localhost:65535", "localhost", 65535},
    {"", nullptr, 0},
    {"5000", nullptr, 0},
    {":5000", nullptr, 0},
    {"host:", nullptr, 0},
    {"host:65536", nullptr, 0},
    {"host:5000x", nullptr, 0},
    {"host:-1", nullptr, 0},
    {"::1:5000", nullptr, 0},
    {"[]:5000", nullptr, 0},
};

TEST(Address, APortAloneLacksItsHost) {
  EXPECT_EQ(ParseHostPort(":5000").error().message,
            "':5000' has no host; write for example 0.0.0.0:5000 to listen on all addresses, or "
            "127.0.0.1:5000");
}

TEST(Address, IsAHostAndAPort) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.text);
    const auto parsed = ParseHostPort(c.text);
    ASSERT_EQ(parsed.has_value(), c.host != nullptr);
    if (!parsed.has_value()) {
      EXPECT_NE(parsed.error().message.find("'" + std::string(c.text) + "'"), std::string::npos);
      continue;
    }
    EXPECT_EQ(parsed->host, c.host);
    EXPECT_EQ(parsed->port, c.port);
  }
}

TEST(Address, WithPortReplacesThePort) {
  EXPECT_EQ(WithPort("127.0.0.1:0", 40001), "127.0.0.1:40001");
  EXPECT_EQ(WithPort("[::]:0", 40001), "[::]:40001");
}

TEST(Address, PeersAreCountedByTheirNetwork) {
  EXPECT_EQ(NetworkOf("10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(NetworkOf("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
  EXPECT_EQ(NetworkOf("2001:db8:1:2:ffff::1"), NetworkOf("2001:db8:1:2:3:4:5:6"));
  EXPECT_NE(NetworkOf("2001:db8:1:3::1"), NetworkOf("2001:db8:1:2::1"));
  EXPECT_EQ(NetworkOf("::ffff:10.1.2.3"), "10.1.2.3");
  EXPECT_EQ(NetworkOf("fe80::1%lo"), "fe80::");
  EXPECT_EQ(NetworkOf("unix:/run/socket"), "unix:/run/socket");
}

}  // namespace
}  // namespace outport
