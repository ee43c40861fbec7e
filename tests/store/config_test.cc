#include "store/config.h"

#include <gtest/gtest.h>

namespace outport::store {
namespace {

TEST(StoreConfig, WhatInitWritesReadsBack) {
  Config config;
  config.data = "/var/lib/out \"port\"";
  config.registry.listen = "[::]:5000";
  config.fleet_address = "store.example.com:5001";
  const auto read = ParseConfig(FormatConfig(config), "store.yml");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->data, config.data);
  EXPECT_EQ(read->registry.listen, config.registry.listen);
  EXPECT_EQ(read->fleet_listen, config.fleet_listen);
  EXPECT_EQ(read->fleet_address, config.fleet_address);
  EXPECT_EQ(read->operations_listen, config.operations_listen);
  EXPECT_EQ(read->freshness.max_staleness, config.freshness.max_staleness);
  EXPECT_EQ(read->headroom_bytes, config.headroom_bytes);
}

TEST(StoreConfig, EveryProblemHasItsLine) {
  const char kBad[] =
      "data: /d\n"
      "fleet: {listen: 5001, address: \"store:5001\"}\n"
      "registy: {listen: \"0.0.0.0:5000\"}\n"
      "freshness: {max_staleness: 2s, stale_if_error: 1s}\n"
      "uploads: {idle: 5s, sessions: 0}\n"
      "disk: {headroom: lots}\n"
      "audit: {file: audit.jsonl, max_size: 1KiB, keep: 0, keep_rows: 999, syslog: often}\n";
  const auto read = ParseConfig(kBad, "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  for (const char* part :
       {"store.yml:2: 'fleet.listen': '5001' is not an address",
        "store.yml:3: unknown key 'registy'", "store.yml:4: 'freshness.stale_if_error'",
        "store.yml:5: 'uploads.idle'", "store.yml:5: 'uploads.sessions'",
        "store.yml:6: 'disk.headroom'", "store.yml:7: 'audit.file'",
        "store.yml:7: 'audit.max_size'", "store.yml:7: 'audit.keep'",
        "store.yml:7: 'audit.keep_rows'", "store.yml:7: 'audit.syslog'"}) {
    EXPECT_NE(read.error().message.find(part), std::string::npos) << part << "\n"
                                                                  << read.error().message;
  }
}

TEST(StoreConfig, TheAuditLogIsAFileOfTheDataFolderUnlessToldOtherwise) {
  const std::string least = "data: /d\nfleet: {address: \"store:5001\"}\n";
  EXPECT_EQ(ParseConfig(least, "store.yml")->AuditFile(), "/d/audit/audit.jsonl");
  const auto other = ParseConfig(
      least + "audit: {file: /log/a, max_size: 1MiB, keep: 3, keep_rows: 5000, syslog: true}\n",
      "store.yml");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ(other->AuditFile(), "/log/a");
  EXPECT_EQ(other->audit.max_size_bytes, 1u << 20);
  EXPECT_EQ(other->audit.keep, 3);
  EXPECT_EQ(other->audit.keep_rows, 5000);
  EXPECT_TRUE(other->audit.syslog);
}

TEST(StoreConfig, TheDataFolderAndTheFleetAddressAreRequired) {
  const auto read = ParseConfig("log: {level: info}\n", "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("'data' is missing"), std::string::npos);
  EXPECT_NE(read.error().message.find("'fleet.address' is missing"), std::string::npos);
}

}  // namespace
}  // namespace outport::store
