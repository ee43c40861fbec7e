#include "node/membership/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outport::node {
namespace {

TEST(NodeConfig, ReadsTheConfigurationOfJoin) {
  const auto config = ParseConfig(
      "data: /var/lib/node\n"
      "store: store.example.com:5001\n"
      "registry: {listen: \"0.0.0.0:5010\"}\n"
      "operations: {listen: \"127.0.0.1:5012\"}\n"
      "log: {level: debug}\n"
      "disk: {headroom: 1GiB}\n",
      "node.yml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->data, "/var/lib/node");
  EXPECT_EQ(config->store, "store.example.com:5001");
  EXPECT_EQ(config->registry.listen, "0.0.0.0:5010");
  EXPECT_EQ(config->operations_listen, "127.0.0.1:5012");
  EXPECT_EQ(config->log_level, LogLevel::kDebug);
  EXPECT_EQ(config->disk.headroom_bytes, 1u << 30);
  EXPECT_EQ(config->disk.warn_below_bytes, 2ull << 30);
  EXPECT_FALSE(config->read_only) << "a node relays writes by default";
}

TEST(NodeConfig, ReadsReadOnly) {
  const auto config = ParseConfig("data: /d\nstore: s:1\nregistry: {read_only: true}\n", "n.yml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_TRUE(config->read_only);
}

struct Case {
  const char* what;
  const char* text;
  const char* problem;
};
constexpr Case kBad[] = {
    {"no store", "data: /d\n", "store"},
    {"no data", "store: s:1\n", "data"},
    {"a store without a port", "data: /d\nstore: example.com\n", "example.com"},
    {"an invalid port", "data: /d\nstore: s:99999\n", "s:99999"},
    {"an IPv6 address without brackets", "data: /d\nstore: ::1:5001\n", "::1:5001"},
    {"an unknown key", "data: /d\nstore: s:1\nlog: {lvel: info}\n", "lvel"},
    {"an invalid boolean", "data: /d\nstore: s:1\nregistry: {read_only: perhaps}\n", "perhaps"},
    {"an invalid size", "data: /d\nstore: s:1\ndisk: {headroom: lots}\n", "disk.headroom"},
    {"a warning below the headroom", "data: /d\nstore: s:1\ndisk: {warn_below: 511MiB}\n",
     "'disk.warn_below': must be at least disk.headroom (536870912 bytes)"},
    {"an invalid log level", "data: /d\nstore: s:1\nlog: {level: loud}\n", "loud"},
};

TEST(NodeConfig, ReportsEachProblemWithItsLine) {
  for (const Case& c : kBad) {
    SCOPED_TRACE(c.what);
    const auto config = ParseConfig(c.text, "node.yml");
    ASSERT_FALSE(config);
    EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(config.error().message, testing::HasSubstr("node.yml:"));
    EXPECT_THAT(config.error().message, testing::HasSubstr(c.problem));
  }
}

}  // namespace
}  // namespace outport::node
