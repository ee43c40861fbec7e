#include "store/config.h"

#include <gtest/gtest.h>

namespace outport::store {
namespace {

TEST(StoreConfig, ReadsTheConfigurationOfInit) {
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
  EXPECT_EQ(read->disk.headroom_bytes, config.disk.headroom_bytes);
}

TEST(StoreConfig, EveryProblemHasItsLine) {
  const char kBad[] =
      "data: /d\n"
      "fleet: {listen: 5001, address: \"store:5001\"}\n"
      "registy: {listen: \"0.0.0.0:5000\"}\n"
      "freshness: {max_staleness: 2s, stale_if_error: 1s}\n"
      "uploads: {idle_timeout: 5s, max_sessions: 0}\n"
      "disk: {headroom: lots}\n"
      "audit: {file: audit.jsonl, max_size: 1KiB, max_files: 0, max_entries: 999, syslog: often}\n"
      "tags: {history: 5m}\n";
  const auto read = ParseConfig(kBad, "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
  for (const char* part :
       {"store.yml:2: 'fleet.listen': '5001' is not an address",
        "store.yml:3: unknown key 'registy'", "store.yml:4: 'freshness.stale_if_error'",
        "store.yml:5: 'uploads.idle_timeout'", "store.yml:5: 'uploads.max_sessions'",
        "store.yml:6: 'disk.headroom'", "store.yml:7: 'audit.file'",
        "store.yml:7: 'audit.max_size'", "store.yml:7: 'audit.max_files'",
        "store.yml:7: 'audit.max_entries'", "store.yml:7: 'audit.syslog'",
        "store.yml:8: 'tags.history': must be at least 1h"}) {
    EXPECT_NE(read.error().message.find(part), std::string::npos) << part << "\n"
                                                                  << read.error().message;
  }
}

TEST(StoreConfig, TheAuditFileIsInTheDataFolderByDefault) {
  const std::string least = "data: /d\nfleet: {address: \"store:5001\"}\n";
  EXPECT_EQ(ParseConfig(least, "store.yml")->AuditFile(), "/d/audit/audit.jsonl");
  const auto other = ParseConfig(
      least +
          "audit: {file: /log/a, max_size: 1MiB, max_files: 3, max_entries: 5000, syslog: true}\n",
      "store.yml");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ(other->AuditFile(), "/log/a");
  EXPECT_EQ(other->audit.max_size_bytes, 1u << 20);
  EXPECT_EQ(other->audit.max_files, 3);
  EXPECT_EQ(other->audit.max_entries, 5000);
  EXPECT_TRUE(other->audit.syslog);
}

TEST(StoreConfig, TheHistoryOfTagsReachesBackForNinetyDays) {
  const std::string least = "data: /d\nfleet: {address: \"store:5001\"}\n";
  EXPECT_EQ(ParseConfig(least, "store.yml")->tag_history, std::chrono::days(90));
  const auto other = ParseConfig(least + "tags: {history: 30d}\n", "store.yml");
  ASSERT_TRUE(other.has_value()) << other.error().message;
  EXPECT_EQ(other->tag_history, std::chrono::days(30));
}

TEST(StoreConfig, NamesTheNewKeyForARenamedOne) {
  const auto read = ParseConfig(
      "data: /d\nfleet: {address: \"store:5001\"}\n"
      "registry: {plain_listen: \"0.0.0.0:80\", client_authorities: /a, client_crls: /b}\n"
      "freshness: {when_store_is_away: refuse}\naccess: {beyond_it: serve}\n"
      "nodes: {identity_life: 1d, server_life: 1d}\nuploads: {sessions: 1, idle: 1h}\n"
      "audit: {keep: 1, keep_rows: 1000}\n",
      "store.yml");
  ASSERT_FALSE(read.has_value());
  for (const char* part :
       {"store.yml:3: unknown key 'registry.plain_listen': it is now 'registry.http_listen'",
        "'registry.client_authorities': it is now 'registry.client_ca'",
        "'registry.client_crls': it is now 'registry.client_crl'",
        "'freshness.when_store_is_away': it is now 'freshness.on_store_unreachable'",
        "'access.beyond_it': it is now 'access.on_expired_revocations'",
        "'nodes.identity_life': it is now 'nodes.identity_certificate_lifetime'",
        "'nodes.server_life': it is now 'nodes.server_certificate_lifetime'",
        "'uploads.sessions': it is now 'uploads.max_sessions'",
        "'uploads.idle': it is now 'uploads.idle_timeout'",
        "'audit.keep': it is now 'audit.max_files'",
        "'audit.keep_rows': it is now 'audit.max_entries'"}) {
    EXPECT_NE(read.error().message.find(part), std::string::npos) << part << "\n"
                                                                  << read.error().message;
  }
}

TEST(StoreConfig, TheDataFolderAndTheFleetAddressAreRequired) {
  const auto read = ParseConfig("log: {level: info}\n", "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("'data' is missing"), std::string::npos);
  EXPECT_NE(read.error().message.find("'fleet.address' is missing"), std::string::npos);
}

const std::string kLeast = "data: /d\nfleet: {address: \"store:5001\"}\n";

TEST(StoreConfig, BoundsTheChangeLog) {
  const auto unset = ParseConfig(kLeast, "store.yml");
  EXPECT_EQ(unset->changes.max_age, std::chrono::days(30));
  EXPECT_EQ(unset->changes.max_size_bytes, 1u << 30);
  const auto set = ParseConfig(kLeast + "changes: {max_age: 36h, max_size: 64MiB}\n", "store.yml");
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_EQ(set->changes.max_age, std::chrono::hours(36));
  EXPECT_EQ(set->changes.max_size_bytes, 64u << 20);
  EXPECT_EQ(set->changes.max_rate, 20);
  EXPECT_EQ(set->changes.max_burst, 200);
  EXPECT_EQ(set->changes.max_new_repositories, 1000);
  const auto bad = ParseConfig(kLeast + "changes: {max_age: 59m, max_size: 1KiB}\n", "store.yml");
  ASSERT_FALSE(bad.has_value());
  for (const char* part : {"store.yml:3: 'changes.max_age': must be from 1h to 3650d",
                           "store.yml:3: 'changes.max_size': must be at least 1MiB"}) {
    EXPECT_NE(bad.error().message.find(part), std::string::npos) << bad.error().message;
  }
}

TEST(StoreConfig, BoundsTheChangesOfOneUser) {
  const auto set = ParseConfig(
      kLeast + "changes: {max_rate: 5, max_burst: 50, max_new_repositories: 7}\n", "store.yml");
  ASSERT_TRUE(set.has_value()) << set.error().message;
  EXPECT_EQ(set->changes.max_rate, 5);
  EXPECT_EQ(set->changes.max_burst, 50);
  EXPECT_EQ(set->changes.max_new_repositories, 7);
  const auto fast = ParseConfig(kLeast + "changes: {max_rate: 500}\n", "store.yml");
  ASSERT_TRUE(fast.has_value()) << fast.error().message;
  EXPECT_EQ(fast->changes.max_burst, 500) << "at least the changes of a second";
  EXPECT_FALSE(ParseConfig(kLeast + "changes: {max_rate: 0}\n", "store.yml").has_value());
}

TEST(StoreConfig, ReadsGarbageCollection) {
  const auto read = ParseConfig(
      kLeast +
          "freshness: {max_staleness: 1s, stale_if_error: 2s}\n"
          "gc: {grace: 3s, lease: 1s, trash: 0s, longest_pull: 1s, window: \"22:00-04:00\",\n"
          "     max_rate: 100000, free_at_once_below: 5GiB}\n",
      "store.yml");
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->gc.grace, std::chrono::seconds(3));
  EXPECT_EQ(read->gc.lease, std::chrono::seconds(1));
  EXPECT_EQ(read->gc.trash, std::chrono::seconds(0));
  EXPECT_EQ(read->gc.longest_pull, std::chrono::seconds(1));
  EXPECT_EQ(read->gc.window.ToString(), "22:00-04:00");
  EXPECT_EQ(read->gc.max_rate, 100000);
  EXPECT_EQ(read->gc.free_at_once_below, 5ull << 30);
}

TEST(StoreConfig, TheDiskWarnsAtTwiceTheHeadroomByDefault) {
  EXPECT_EQ(ParseConfig(kLeast, "store.yml")->disk.warn_below_bytes, 1ull << 30);
  const std::string disk = "disk: {headroom: 1GiB, warn_below: ";
  EXPECT_EQ(ParseConfig(kLeast + disk + "1GiB}\n", "store.yml")->disk.warn_below_bytes, 1ull << 30);
  EXPECT_EQ(ParseConfig(kLeast + disk + "0}\n", "store.yml")->disk.warn_below_bytes, 0u);
  EXPECT_EQ(ParseConfig(kLeast + "disk: {headroom: 3GiB}\n", "store.yml")->disk.warn_below_bytes,
            6ull << 30);
  const auto read = ParseConfig(kLeast + disk + "1023MiB}\n", "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find("store.yml:3: 'disk.warn_below': must be at least"),
            std::string::npos)
      << read.error().message;
}

TEST(StoreConfig, ReadsTheBallast) {
  EXPECT_EQ(ParseConfig(kLeast, "store.yml")->ballast_bytes, 64u << 20);
  const auto read = ParseConfig(kLeast + "disk: {headroom: 1GiB, ballast: 0}\n", "store.yml");
  EXPECT_EQ(read->ballast_bytes, 0u);
  EXPECT_EQ(read->disk.headroom_bytes, 1u << 30);
}

TEST(StoreConfig, TrashIsFreedEarlyBeforeTheHeadroomIsReached) {
  EXPECT_EQ(ParseConfig(kLeast, "store.yml")->gc.free_at_once_below, 1ull << 30);
  EXPECT_EQ(ParseConfig(kLeast + "disk: {headroom: 3GiB}\n", "store.yml")->gc.free_at_once_below,
            6ull << 30);
  const std::string gc = "gc: {free_at_once_below: ";
  EXPECT_EQ(ParseConfig(kLeast + gc + "0}\n", "store.yml")->gc.free_at_once_below, 0u);
  EXPECT_EQ(ParseConfig(kLeast + gc + "513MiB}\n", "store.yml")->gc.free_at_once_below,
            513ull << 20);
  const auto read = ParseConfig(kLeast + gc + "512MiB}\n", "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(read.error().message.find(
                "store.yml:3: 'gc.free_at_once_below': must be more than disk.headroom (536870912 "
                "bytes), where the store rejects pushes, or 0 for never"),
            std::string::npos)
      << read.error().message;
}

TEST(StoreConfig, TheGracePeriodIsLongerThanAStaleManifestAndAPull) {
  const auto read =
      ParseConfig(kLeast + "freshness: {stale_if_error: 24h}\ngc: {grace: 25h, longest_pull: 2h}\n",
                  "store.yml");
  ASSERT_FALSE(read.has_value());
  EXPECT_NE(
      read.error().message.find(
          "store.yml:4: 'gc.grace': must be at least 93600s, because a node may serve a stale "
          "manifest for freshness.stale_if_error and a pull may take gc.longest_pull"),
      std::string::npos)
      << read.error().message;
  EXPECT_TRUE(
      ParseConfig(kLeast + "freshness: {stale_if_error: 24h}\ngc: {grace: 25h}\n", "store.yml")
          .has_value());
}

TEST(StoreConfig, AnUnsetGracePeriodFollowsStaleIfError) {
  EXPECT_EQ(ParseConfig(kLeast, "store.yml")->gc.grace, std::chrono::hours(36));
  EXPECT_EQ(ParseConfig(kLeast + "freshness: {stale_if_error: 7d}\n", "store.yml")->gc.grace,
            std::chrono::hours(7 * 24 + 1));
}

TEST(StoreConfig, EveryProblemOfGarbageCollectionHasItsKey) {
  const auto read = ParseConfig(
      kLeast +
          "gc: {lease: 25h, window: \"1-5\", max_rate: 0, trash: 366d, free_at_once_below: lots}\n",
      "store.yml");
  ASSERT_FALSE(read.has_value());
  for (const char* part :
       {"store.yml:3: 'gc.lease': must be from 1s to 24h",
        "store.yml:3: 'gc.window': '1-5' is not a window; write for example \"01:00-05:00\" or "
        "\"22:00-04:00\", or \"\" for a window that is always open",
        "store.yml:3: 'gc.max_rate'", "store.yml:3: 'gc.trash': must be at most 365d",
        "store.yml:3: 'gc.free_at_once_below'"}) {
    EXPECT_NE(read.error().message.find(part), std::string::npos) << part << "\n"
                                                                  << read.error().message;
  }
}

}  // namespace
}  // namespace outport::store
