#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "store/config.h"

namespace outport::store {

struct InitOptions {
  Config config;  // an empty fleet_address means the first name with the fleet port
  std::vector<std::string> host_names;  // of the server certificate: DNS names, IP addresses
  std::string domain = "outport";
  std::string key_type = "ecdsa-p256";  // of the authorities and the server; pki::ParseKeyType()
  std::string admin_name = "admin";
  std::filesystem::path admin_folder;  // empty: DATA/admin
  std::filesystem::path config_file;   // empty: DATA/store.yml
};

// The paths of a new store.
struct InitSummary {
  std::filesystem::path data;
  std::filesystem::path config_file;
  std::filesystem::path admin_folder;
};

// Creates a store: folders, the fleet's authority, the server certificate, the metadata, the first
// administrator's profile, the configuration. kFailedPrecondition: the folder holds a store
// already. A failed attempt removes what it created. Blocks.
Result<InitSummary> InitStore(InitOptions options);

}  // namespace outport::store
