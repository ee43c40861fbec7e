#include "node/config.h"

#include <charconv>
#include <utility>

#include "registry/base/settings.h"

namespace outport::node {
namespace {

LogLevel ParseLevel(const std::string& text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return LogLevel::kInfo;
}

bool IsAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  if (text.find(':') != colon && text[colon - 1] != ']') return false;  // IPv6 without brackets
  uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
  return parsed.ec == std::errc() && parsed.ptr == end;
}

void CheckAddress(Settings& section, std::string_view key, const std::string& text) {
  if (text.empty() || IsAddress(text)) return;
  section.Complain(key, "'" + text + "' is no address; write host:port, or [v6]:port");
}

std::string ReadListen(Settings section, const std::string& fallback) {
  std::string text = section.String("listen", fallback);
  CheckAddress(section, "listen", text);
  return text;
}

Result<Config> ReadConfig(Settings settings) {
  Config config;
  config.data = settings.RequiredString("data");
  config.store = settings.RequiredString("store");
  CheckAddress(settings, "store", config.store);
  config.registry_listen = ReadListen(settings.Section("registry"), config.registry_listen);
  config.operations_listen = ReadListen(settings.Section("operations"), config.operations_listen);
  Settings log = settings.Section("log");
  config.log_level = ParseLevel(log.Choice("level", {"debug", "info", "warning", "error"}, "info"));
  TRY_VOID(settings.Finish());
  return config;
}

}  // namespace

Result<Config> LoadConfig(const std::string& path) {
  Result<Settings> settings = Settings::Load(path);
  if (!settings.has_value() && settings.error().code == ErrorCode::kNotFound) {
    settings.error().message += "; 'outport-node join' writes one";
  }
  if (!settings.has_value()) return std::move(settings).error();
  return ReadConfig(*std::move(settings));
}

Result<Config> ParseConfig(const std::string& text, const std::string& file_name) {
  TRY(Settings settings, Settings::Parse(text, file_name));
  return ReadConfig(std::move(settings));
}

}  // namespace outport::node
