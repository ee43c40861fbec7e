#include "store/config.h"

#include <charconv>
#include <utility>

#include "registry/base/settings.h"

namespace outport::store {
namespace {

constexpr int64_t kMaxUploadSessions = 100000;

LogLevel ParseLevel(const std::string& text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

std::string ReadAddress(Settings& section, std::string_view key, const std::string& fallback) {
  std::string text = section.String(key, fallback);
  const Result<HostPort> parsed = ParseHostPort(text);
  if (!parsed.has_value()) section.Complain(key, parsed.error().message);
  return text;
}

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

Result<Config> ReadConfig(Settings settings) {
  Config config;
  config.data = settings.RequiredString("data");
  Settings registry = settings.Section("registry");
  config.registry_listen = ReadAddress(registry, "listen", config.registry_listen);
  Settings fleet = settings.Section("fleet");
  config.fleet_listen = ReadAddress(fleet, "listen", config.fleet_listen);
  config.fleet_address = fleet.RequiredString("address");
  if (!config.fleet_address.empty()) ReadAddress(fleet, "address", config.fleet_address);
  Settings operations = settings.Section("operations");
  config.operations_listen = ReadAddress(operations, "listen", config.operations_listen);
  Settings log = settings.Section("log");
  config.log_level = ParseLevel(log.Choice("level", {"debug", "info", "warning", "error"}, "info"));
  config.freshness = ReadFreshness(settings.Section("freshness"));
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
  Result<Settings> settings = Settings::Load(path);
  if (!settings.has_value() && settings.error().code == ErrorCode::kNotFound) {
    settings.error().message += "; 'outport-store init' writes one";
  }
  if (!settings.has_value()) return std::move(settings).error();
  return ReadConfig(*std::move(settings));
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
         quoted(config.registry_listen) +
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
         "# Pushes are refused when less than this is free.\n"
         "disk: {headroom: 512MiB}\n";
}

Result<HostPort> ParseHostPort(const std::string& text) {
  const size_t colon = text.rfind(':');
  HostPort parsed;
  if (colon != std::string::npos && colon > 0) {
    parsed.host = text.substr(0, colon);
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, parsed.port);
    const bool bracketed = parsed.host.starts_with('[') && parsed.host.ends_with(']');
    if (bracketed) parsed.host = parsed.host.substr(1, parsed.host.size() - 2);
    const bool plain = parsed.host.find(':') == std::string::npos || bracketed;
    if (error == std::errc() && stop == end && plain && !parsed.host.empty()) return parsed;
  }
  return Error{ErrorCode::kInvalidArgument,
               "'" + text +
                   "' is not an address; write for example 0.0.0.0:5000, "
                   "store.example.com:5001 or [::]:5000"};
}

}  // namespace outport::store
