#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/http/registry_config.h"
#include "registry/storage/disk_watch.h"
#include "store/work/daily_window.h"

namespace outport::store {

// The settings of store.yml. Addresses to listen on are address:port or [v6]:port. For port 0 the
// system picks a port.
struct Config {
  std::filesystem::path data;
  RegistryConfig registry;
  std::string fleet_listen = "0.0.0.0:5001";
  std::string fleet_address;                          // the host:port in invitations
  std::string fleet_address_place = "fleet.address";  // its place in the file, for errors
  std::string operations_listen = "127.0.0.1:5002";
  LogLevel log_level = LogLevel::kInfo;

  struct Freshness {
    std::chrono::milliseconds max_staleness{std::chrono::seconds(2)};
    std::chrono::milliseconds stale_if_error{std::chrono::hours(24)};
    bool serve_stale = true;  // false: nodes answer 503 while the store is unreachable
  };
  Freshness freshness;

  struct Access {
    // A node admits clients for at most this time after it last heard revocations from the store.
    std::chrono::milliseconds max_revocation_age{std::chrono::hours(24)};
    bool serve_on_expired_revocations = false;  // false: after that time nodes answer 503
    std::filesystem::path htpasswd_file;        // empty: no htpasswd file
    std::string htpasswd_group = "htpasswd";
  };
  Access access;

  struct Audit {
    std::filesystem::path file;  // empty: DATA/audit/audit.jsonl
    uint64_t max_size_bytes = 64 << 20;
    int64_t max_files = 10;         // rotated files, besides the current file
    int64_t max_entries = 1000000;  // entries that stay in the metadata after their export
    bool syslog = false;
  };
  Audit audit;

  // The lifetimes of a node's certificates. The node renews each certificate after a third of its
  // lifetime.
  struct Nodes {
    std::chrono::milliseconds identity_certificate_lifetime{std::chrono::days(7)};
    std::chrono::milliseconds server_certificate_lifetime{std::chrono::days(90)};
  };
  Nodes nodes;

  // Garbage collection: how long content that nothing refers to stays.
  struct Gc {
    // Content is removed when nothing has referred to it for this time. At least stale_if_error +
    // longest_pull.
    std::chrono::milliseconds grace{std::chrono::hours(36)};
    // A client that was told that content exists may refer to it for this time.
    std::chrono::milliseconds lease{std::chrono::hours(1)};
    // An administrator can restore the content that the collector removed for this time.
    std::chrono::milliseconds trash{std::chrono::hours(24)};
    std::chrono::milliseconds longest_pull{std::chrono::hours(1)};
    DailyWindow window;      // when the collector works by itself
    int64_t max_rate = 500;  // items that it removes or frees in a second
    // Free disk space below which nothing stays in the trash; more than the headroom. 0: never.
    uint64_t free_at_once_below = 1024 << 20;
  };
  Gc gc;

  size_t max_upload_sessions = 1000;
  std::chrono::milliseconds upload_idle_timeout{std::chrono::hours(168)};
  // The bounds of the change log. Within them, the log keeps the changes that a node lacks.
  struct Changes {
    std::chrono::milliseconds max_age{std::chrono::days(30)};
    uint64_t max_size_bytes = 1 << 30;
    // These limit the changes of one user.
    int64_t max_rate = 20;                // manifests and tags in a second
    int64_t max_burst = 200;              // the same, after a pause
    int64_t max_new_repositories = 1000;  // in an hour
  };
  Changes changes;

  std::chrono::milliseconds tag_history{std::chrono::days(90)};  // the history of tags reaches back
  DiskLimits disk;  // below the headroom, the store rejects pushes
  // Disk space for deletions and for changes that take access away, at most 1/16 of the disk.
  uint64_t ballast_bytes = 64 << 20;

  std::filesystem::path PkiFolder() const { return data / "pki"; }
  std::filesystem::path AuditFile() const {
    return audit.file.empty() ? data / "audit" / "audit.jsonl" : audit.file;
  }
  std::filesystem::path MetaFolder() const { return data / "meta"; }
};

// Reads and checks a configuration file. Returns kInvalidArgument with a line "FILE:LINE: PROBLEM"
// for every problem. Blocks.
Result<Config> LoadConfig(const std::string& path);
Result<Config> ParseConfig(const std::string& text, const std::string& file_name);

// Returns the text of a configuration file, with comments. LoadConfig() can read the text.
std::string FormatConfig(const Config& config);

}  // namespace outport::store
