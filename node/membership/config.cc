#include "node/membership/config.h"

#include <utility>

#include "registry/base/settings.h"

namespace outport::node {
namespace {

Result<Config> ReadConfig(Settings settings) {
  Config config;
  config.data = settings.RequiredString("data");
  config.store = settings.RequiredString("store");
  settings.Address("store", "");
  Settings registry = settings.Section("registry");
  config.registry = ReadRegistryConfig(registry);
  config.read_only = registry.Bool("read_only", config.read_only);
  config.operations_listen =
      settings.Section("operations").Listen("listen", config.operations_listen);
  config.log_level = settings.Section("log").Level("level", config.log_level);
  config.disk = ReadDiskLimits(settings.Section("disk"));
  TRY_VOID(settings.Finish());
  return config;
}

}  // namespace

Result<Config> LoadConfig(const std::string& path) {
  TRY(Settings settings, Settings::Load(path, "outport-node join"));
  return ReadConfig(std::move(settings));
}

Result<Config> ParseConfig(const std::string& text, const std::string& file_name) {
  TRY(Settings settings, Settings::Parse(text, file_name));
  return ReadConfig(std::move(settings));
}

}  // namespace outport::node
