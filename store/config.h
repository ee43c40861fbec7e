#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/http/registry_config.h"

namespace outport::store {

// store.yml. Addresses to listen on are address:port or [v6]:port; port 0 picks one.
struct Config {
  std::filesystem::path data;
  RegistryConfig registry;
  std::string fleet_listen = "0.0.0.0:5001";
  std::string fleet_address;                          // host:port that invitations carry
  std::string fleet_address_place = "fleet.address";  // where that stands, for a problem with it
  std::string operations_listen = "127.0.0.1:5002";
  LogLevel log_level = LogLevel::kInfo;

  struct Freshness {
    std::chrono::milliseconds max_staleness{std::chrono::seconds(2)};
    std::chrono::milliseconds stale_if_error{std::chrono::hours(24)};
    bool serve_stale = true;  // else nodes refuse while the store is away
  };
  Freshness freshness;

  struct Access {
    // How long a node lets clients in without knowing whose access was taken away.
    std::chrono::milliseconds max_revocation_age{std::chrono::hours(24)};
    bool serve_beyond_it = false;         // else nodes refuse everybody then
    std::filesystem::path htpasswd_file;  // its users count beside the fleet's; empty: none
    std::string htpasswd_group = "htpasswd";
  };
  Access access;

  struct Audit {
    std::filesystem::path file;  // empty: DATA/audit/audit.jsonl
    uint64_t max_size_bytes = 64 << 20;
    int64_t keep = 10;            // older files beside it
    int64_t keep_rows = 1000000;  // in the metadata, of those that the file has
    bool syslog = false;
  };
  Audit audit;

  // How long a node's certificates last; it renews each at a third of its life.
  struct Nodes {
    std::chrono::milliseconds identity_life{std::chrono::days(7)};
    std::chrono::milliseconds server_life{std::chrono::days(90)};
  };
  Nodes nodes;

  size_t upload_sessions = 1000;
  std::chrono::milliseconds upload_idle{std::chrono::hours(168)};
  uint64_t headroom_bytes = 512 << 20;  // of the disk, kept free of pushes

  std::filesystem::path PkiFolder() const { return data / "pki"; }
  std::filesystem::path AuditFile() const {
    return audit.file.empty() ? data / "audit" / "audit.jsonl" : audit.file;
  }
  std::filesystem::path MetaFolder() const { return data / "meta"; }
};

// kInvalidArgument with a line "FILE:LINE: what is wrong" for every problem. Blocks.
Result<Config> LoadConfig(const std::string& path);
Result<Config> ParseConfig(const std::string& text, const std::string& file_name);

// The file that LoadConfig reads, with comments for those who will edit it.
std::string FormatConfig(const Config& config);

}  // namespace outport::store
