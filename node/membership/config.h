#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/http/registry_config.h"
#include "registry/storage/disk_watch.h"

namespace outport::node {

// The configuration of a node, node.yml. Listen addresses are address:port or [v6]:port; port 0
// picks a free port.
struct Config {
  std::filesystem::path data;
  std::string store;  // host:port of the store's fleet port
  RegistryConfig registry;
  bool read_only = false;  // the node rejects writes instead of relaying them to the store
  std::string operations_listen = "127.0.0.1:5002";
  LogLevel log_level = LogLevel::kInfo;
  DiskLimits disk;  // below the headroom, the node caches nothing

  std::filesystem::path PkiFolder() const { return data / "pki"; }
  std::filesystem::path MetaFolder() const { return data / "meta"; }
};

// Loads the file. For an invalid file, returns kInvalidArgument with one line "FILE:LINE: problem"
// for each problem. Blocks.
Result<Config> LoadConfig(const std::string& path);
Result<Config> ParseConfig(const std::string& text, const std::string& file_name);

}  // namespace outport::node
