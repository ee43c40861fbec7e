#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"
#include "store/config.h"

namespace outport::store {

struct InitOptions {
  Config config;  // an empty fleet_address means the first host name with the fleet port
  std::vector<std::string> host_names;  // DNS names and IP addresses for the certificate
  std::string domain = "outport";
  std::string key_type = "ecdsa-p256";  // for the CAs and the server; see pki::ParseKeyType()
  std::string admin_name = "admin";
  std::filesystem::path admin_folder;  // empty: DATA/admin
  std::filesystem::path config_file;   // empty: DATA/store.yml
  std::string version = "unknown";     // of this program, for DATA/format
};

// The paths of a new store.
struct InitSummary {
  std::filesystem::path data;
  std::filesystem::path config_file;
  std::filesystem::path admin_folder;
};

// Creates a store: the folders, the fleet's CAs, the server certificate, the metadata, the first
// administrator's profile, and the configuration. Returns kFailedPrecondition if the folder has a
// store already. A failed attempt removes what it has created. Blocks.
Result<InitSummary> InitStore(InitOptions options);

}  // namespace outport::store
