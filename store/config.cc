#include "store/config.h"

#include <algorithm>
#include <utility>

#include "registry/base/settings.h"
#include "registry/security/pki/identity.h"

namespace outport::store {
namespace {

constexpr int64_t kMaxUploadSessions = 100000;
constexpr std::chrono::seconds kMinRevocationAge{5};
constexpr std::chrono::hours kMinTagHistory{1};
constexpr std::chrono::minutes kMinCertificateLifetime{1};
constexpr std::chrono::days kMaxCertificateLifetime{365};
constexpr uint64_t kMinAuditFileBytes = 64 << 10;
constexpr int64_t kMaxAuditFiles = 1000;
constexpr int64_t kMinAuditEntries = 1000;
constexpr int64_t kMaxAuditEntries = 100'000'000;
constexpr std::chrono::hours kMinChangesAge{1};
constexpr std::chrono::days kMaxChangesAge{3650};
constexpr uint64_t kMinChangesBytes = 1 << 20;
constexpr int64_t kMaxChangeRate = 1'000'000;
constexpr std::chrono::seconds kMinGcLease{1};
constexpr std::chrono::hours kMaxGcLease{24};
constexpr std::chrono::days kMaxGcTime{365};
constexpr int64_t kMinGcRate = 10;  // a batch then rests for less than the collector's lease
constexpr int64_t kMaxGcRate = 100000;

Config::Freshness ReadFreshness(Settings section) {
  Config::Freshness freshness;
  section.Renamed("when_store_is_away", "on_store_unreachable");
  freshness.max_staleness = section.Duration("max_staleness", freshness.max_staleness);
  freshness.stale_if_error = section.Duration("stale_if_error", freshness.stale_if_error);
  if (freshness.stale_if_error < freshness.max_staleness) {
    section.AddProblem("stale_if_error", "must not be shorter than max_staleness");
  }
  const std::string unreachable =
      section.Choice("on_store_unreachable", {"serve_stale", "refuse"}, "serve_stale");
  freshness.serve_stale = unreachable == "serve_stale";
  return freshness;
}

Config::Access ReadAccess(Settings section) {
  Config::Access access;
  section.Renamed("beyond_it", "on_expired_revocations");
  access.max_revocation_age = section.Duration("max_revocation_age", access.max_revocation_age);
  if (access.max_revocation_age < kMinRevocationAge) {
    section.AddProblem("max_revocation_age",
                       "must be at least 5s, because a node's stream may break for some seconds");
  }
  const std::string expired =
      section.Choice("on_expired_revocations", {"refuse", "serve"}, "refuse");
  access.serve_on_expired_revocations = expired == "serve";
  access.htpasswd_file = section.AbsolutePath("htpasswd_file", "/etc/outport/htpasswd");
  access.htpasswd_group = section.String("htpasswd_group", access.htpasswd_group);
  if (!ParseSubjectName(access.htpasswd_group).has_value()) {
    section.AddProblem("htpasswd_group",
                       "is not a valid group name; use a-z, 0-9, '.', '_' and '-'");
  }
  return access;
}

Config::Audit ReadAudit(Settings section) {
  Config::Audit audit;
  section.Renamed("keep", "max_files");
  section.Renamed("keep_rows", "max_entries");
  audit.file = section.AbsolutePath("file", "/var/log/outport/audit.jsonl");
  audit.max_size_bytes = section.Size("max_size", audit.max_size_bytes);
  if (audit.max_size_bytes < kMinAuditFileBytes) {
    section.AddProblem("max_size", "must be at least 64KiB");
  }
  audit.max_files = section.Integer("max_files", audit.max_files, 1, kMaxAuditFiles);
  audit.max_entries =
      section.Integer("max_entries", audit.max_entries, kMinAuditEntries, kMaxAuditEntries);
  audit.syslog = section.Bool("syslog", audit.syslog);
  return audit;
}

void ReadLifetime(Settings& section, const char* key, std::chrono::milliseconds& lifetime) {
  lifetime = section.Duration(key, lifetime);
  if (lifetime >= kMinCertificateLifetime && lifetime <= kMaxCertificateLifetime) return;
  section.AddProblem(key, "must be from 1m to 365d");
}

Config::Nodes ReadNodes(Settings section) {
  Config::Nodes nodes;
  section.Renamed("identity_life", "identity_certificate_lifetime");
  section.Renamed("server_life", "server_certificate_lifetime");
  ReadLifetime(section, "identity_certificate_lifetime", nodes.identity_certificate_lifetime);
  ReadLifetime(section, "server_certificate_lifetime", nodes.server_certificate_lifetime);
  return nodes;
}

std::string InSeconds(std::chrono::milliseconds time) {
  return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + "s";
}

Config::Changes ReadChanges(Settings section) {
  Config::Changes changes;
  changes.max_age = section.Duration("max_age", changes.max_age);
  if (changes.max_age < kMinChangesAge || changes.max_age > kMaxChangesAge) {
    section.AddProblem("max_age", "must be from 1h to 3650d");
  }
  changes.max_size_bytes = section.Size("max_size", changes.max_size_bytes);
  if (changes.max_size_bytes < kMinChangesBytes) {
    section.AddProblem("max_size", "must be at least 1MiB");
  }
  changes.max_rate = section.Integer("max_rate", changes.max_rate, 1, kMaxChangeRate);
  changes.max_burst = section.Integer("max_burst", std::max(changes.max_burst, changes.max_rate), 1,
                                      kMaxChangeRate);
  changes.max_new_repositories =
      section.Integer("max_new_repositories", changes.max_new_repositories, 1, kMaxChangeRate);
  return changes;
}

void ReadGcTime(Settings& section, const char* key, std::chrono::milliseconds& time) {
  time = section.Duration(key, time);
  if (time <= kMaxGcTime) return;
  section.AddProblem(key, "must be at most 365d");
  time = kMaxGcTime;
}

// Pushes are rejected at the headroom, so trash that is freed only there helps no push.
uint64_t ReadFreeAtOnceBelow(Settings& section, uint64_t headroom_bytes) {
  const uint64_t twice = std::min<uint64_t>(2 * headroom_bytes, INT64_MAX);  // the largest size
  const uint64_t below = section.Size("free_at_once_below", twice);
  if (below == 0 || below > headroom_bytes || below == twice) return below;
  section.AddProblem("free_at_once_below",
                     "must be more than disk.headroom (" + std::to_string(headroom_bytes) +
                         " bytes), where the store rejects pushes, or 0 for never");
  return twice;
}

Config::Gc ReadGc(Settings section, const Config& config) {
  const Config::Freshness& freshness = config.freshness;
  Config::Gc gc;
  ReadGcTime(section, "longest_pull", gc.longest_pull);
  // The bound keeps the sum from overflowing.
  const std::chrono::milliseconds least_grace =
      std::min<std::chrono::milliseconds>(freshness.stale_if_error, kMaxGcTime) + gc.longest_pull;
  gc.grace = section.Duration("grace", std::max(gc.grace, least_grace));
  if (gc.grace < least_grace) {
    section.AddProblem("grace", "must be at least " + InSeconds(least_grace) +
                                    ", because a node may serve a stale manifest for "
                                    "freshness.stale_if_error and a pull may take gc.longest_pull");
  }
  gc.lease = section.Duration("lease", gc.lease);
  if (gc.lease < kMinGcLease || gc.lease > kMaxGcLease) {
    section.AddProblem("lease", "must be from 1s to 24h");
  }
  ReadGcTime(section, "trash", gc.trash);
  Result<DailyWindow> window = DailyWindow::Parse(section.String("window", ""));
  if (window.has_value()) {
    gc.window = *window;
  } else {
    section.AddProblem("window", window.error().message);
  }
  gc.max_rate = section.Integer("max_rate", gc.max_rate, kMinGcRate, kMaxGcRate);
  gc.free_at_once_below = ReadFreeAtOnceBelow(section, config.disk.headroom_bytes);
  return gc;
}

Result<Config> ReadConfig(Settings settings) {
  Config config;
  config.data = settings.RequiredString("data");
  Settings registry = settings.Section("registry");
  config.registry = ReadRegistryConfig(registry);
  Settings fleet = settings.Section("fleet");
  config.fleet_listen = fleet.Listen("listen", config.fleet_listen);
  config.fleet_address = fleet.RequiredString("address");
  fleet.Address("address", "");
  config.fleet_address_place = fleet.LocationOf("address");
  config.operations_listen =
      settings.Section("operations").Listen("listen", config.operations_listen);
  config.log_level = settings.Section("log").Level("level", config.log_level);
  config.freshness = ReadFreshness(settings.Section("freshness"));
  config.changes = ReadChanges(settings.Section("changes"));
  Settings disk = settings.Section("disk");
  config.ballast_bytes = disk.Size("ballast", config.ballast_bytes);
  config.disk = ReadDiskLimits(std::move(disk));
  config.gc = ReadGc(settings.Section("gc"), config);
  config.access = ReadAccess(settings.Section("access"));
  config.audit = ReadAudit(settings.Section("audit"));
  config.nodes = ReadNodes(settings.Section("nodes"));
  Settings uploads = settings.Section("uploads");
  uploads.Renamed("sessions", "max_sessions");
  uploads.Renamed("idle", "idle_timeout");
  config.max_upload_sessions = static_cast<size_t>(uploads.Integer(
      "max_sessions", static_cast<int64_t>(config.max_upload_sessions), 1, kMaxUploadSessions));
  config.upload_idle_timeout = uploads.Duration("idle_timeout", config.upload_idle_timeout);
  if (config.upload_idle_timeout < std::chrono::minutes(1)) {
    uploads.AddProblem("idle_timeout", "must be at least 1m");
  }
  Settings tags = settings.Section("tags");
  config.tag_history = tags.Duration("history", config.tag_history);
  if (config.tag_history < kMinTagHistory) tags.AddProblem("history", "must be at least 1h");
  TRY_VOID(settings.Finish());
  return config;
}

}  // namespace

Result<Config> LoadConfig(const std::string& path) {
  TRY(Settings settings, Settings::Load(path, "outport-store init"));
  return ReadConfig(std::move(settings));
}

Result<Config> ParseConfig(const std::string& text, const std::string& file_name) {
  TRY(Settings settings, Settings::Parse(text, file_name));
  return ReadConfig(std::move(settings));
}

std::string FormatConfig(const Config& config) {
  const auto quoted = [](const std::string& text) { return '"' + JsonEscape(text) + '"'; };
  return "# The store's configuration; docs/configure.md explains every key.\n"
         "data: " +
         quoted(config.data.native()) +
         "\n"
         "registry: {listen: " +
         quoted(config.registry.listen) +
         "}\n"
         "# address: where nodes reach the fleet port; invitations contain it.\n"
         "fleet: {listen: " +
         quoted(config.fleet_listen) + ", address: " + quoted(config.fleet_address) +
         "}\n"
         "operations: {listen: " +
         quoted(config.operations_listen) +
         "}\n"
         "log: {level: info}\n"
         "# How old a node's answer may be, and what nodes do while the store is unreachable: "
         "serve_stale or refuse.\n"
         "freshness: {max_staleness: 2s, stale_if_error: 24h, on_store_unreachable: serve_stale}\n"
         "# How long nodes serve while they hear no revocations from the store, and what they do "
         "after that: refuse or serve.\n"
         "access: {max_revocation_age: 24h, on_expired_revocations: refuse}\n"
         "# The store rejects pushes when less than this is free.\n"
         "disk: {headroom: 512MiB}\n";
}

}  // namespace outport::store
