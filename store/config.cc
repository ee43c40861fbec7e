#include "store/config.h"

#include <utility>

#include "registry/base/settings.h"
#include "registry/security/pki/identity.h"

namespace outport::store {
namespace {

constexpr int64_t kMaxUploadSessions = 100000;
constexpr std::chrono::seconds kLeastRevocationAge{5};
constexpr std::chrono::minutes kLeastCertificateLife{1};
constexpr std::chrono::days kMostCertificateLife{365};
constexpr uint64_t kLeastAuditFileBytes = 64 << 10;
constexpr int64_t kMaxAuditFiles = 1000;
constexpr int64_t kLeastAuditRows = 1000;
constexpr int64_t kMaxAuditRows = 100'000'000;

Config::Freshness ReadFreshness(Settings section) {
  Config::Freshness freshness;
  freshness.max_staleness = section.Duration("max_staleness", freshness.max_staleness);
  freshness.stale_if_error = section.Duration("stale_if_error", freshness.stale_if_error);
  if (freshness.stale_if_error < freshness.max_staleness) {
    section.Complain("stale_if_error", "must not be shorter than max_staleness");
  }
  const std::string away =
      section.Choice("when_store_is_away", {"serve_stale", "refuse"}, "serve_stale");
  freshness.serve_stale = away == "serve_stale";
  return freshness;
}

Config::Access ReadAccess(Settings section) {
  Config::Access access;
  access.max_revocation_age = section.Duration("max_revocation_age", access.max_revocation_age);
  if (access.max_revocation_age < kLeastRevocationAge) {
    section.Complain("max_revocation_age", "must be at least 5s: a node's stream may break");
  }
  const std::string beyond = section.Choice("beyond_it", {"refuse", "serve"}, "refuse");
  access.serve_beyond_it = beyond == "serve";
  access.htpasswd_file = section.AbsolutePath("htpasswd_file", "/etc/outport/htpasswd");
  access.htpasswd_group = section.String("htpasswd_group", access.htpasswd_group);
  if (!ParseSubjectName(access.htpasswd_group).has_value()) {
    section.Complain("htpasswd_group", "is no group's name: a-z, 0-9, '.', '_' and '-'");
  }
  return access;
}

Config::Audit ReadAudit(Settings section) {
  Config::Audit audit;
  audit.file = section.AbsolutePath("file", "/var/log/outport/audit.jsonl");
  audit.max_size_bytes = section.Size("max_size", audit.max_size_bytes);
  if (audit.max_size_bytes < kLeastAuditFileBytes) {
    section.Complain("max_size", "must be at least 64KiB");
  }
  audit.keep = section.Integer("keep", audit.keep, 1, kMaxAuditFiles);
  audit.keep_rows = section.Integer("keep_rows", audit.keep_rows, kLeastAuditRows, kMaxAuditRows);
  audit.syslog = section.Bool("syslog", audit.syslog);
  return audit;
}

Config::Nodes ReadNodes(Settings section) {
  Config::Nodes nodes;
  nodes.identity_life = section.Duration("identity_life", nodes.identity_life);
  nodes.server_life = section.Duration("server_life", nodes.server_life);
  for (const auto& [key, life] :
       {std::pair("identity_life", nodes.identity_life), {"server_life", nodes.server_life}}) {
    if (life >= kLeastCertificateLife && life <= kMostCertificateLife) continue;
    section.Complain(key, "must be from 1m to 365d");
  }
  return nodes;
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
  config.fleet_address_place = fleet.Where("address");
  config.operations_listen =
      settings.Section("operations").Listen("listen", config.operations_listen);
  config.log_level = settings.Section("log").Level("level", config.log_level);
  config.freshness = ReadFreshness(settings.Section("freshness"));
  config.access = ReadAccess(settings.Section("access"));
  config.audit = ReadAudit(settings.Section("audit"));
  config.nodes = ReadNodes(settings.Section("nodes"));
  Settings uploads = settings.Section("uploads");
  config.upload_sessions = static_cast<size_t>(uploads.Integer(
      "sessions", static_cast<int64_t>(config.upload_sessions), 1, kMaxUploadSessions));
  config.upload_idle = uploads.Duration("idle", config.upload_idle);
  if (config.upload_idle < std::chrono::minutes(1)) {
    uploads.Complain("idle", "must be at least 1m");
  }
  config.headroom_bytes = settings.Section("disk").Size("headroom", config.headroom_bytes);
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
         "# address: where nodes reach the fleet port; invitations carry it.\n"
         "fleet: {listen: " +
         quoted(config.fleet_listen) + ", address: " + quoted(config.fleet_address) +
         "}\n"
         "operations: {listen: " +
         quoted(config.operations_listen) +
         "}\n"
         "log: {level: info}\n"
         "# How old a node's answer may be, and what nodes do while the store is away: serve_stale "
         "or refuse.\n"
         "freshness: {max_staleness: 2s, stale_if_error: 24h, when_store_is_away: serve_stale}\n"
         "# How long nodes let clients in without knowing whose access was taken away, and what "
         "they "
         "do beyond it: refuse or serve.\n"
         "access: {max_revocation_age: 24h, beyond_it: refuse}\n"
         "# Pushes are refused when less than this is free.\n"
         "disk: {headroom: 512MiB}\n";
}

}  // namespace outport::store
