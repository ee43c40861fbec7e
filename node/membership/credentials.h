#pragma once

#include <filesystem>
#include <string>

#include "registry/rpc/channel.h"

namespace outport::node {

// The name and the identity of a node that has joined (DATA/pki).
struct Credentials {
  std::string name;  // the node's
  rpc::TlsIdentity identity;
};

// Loads them from the data folder. kFailedPrecondition if the folder has not joined a fleet; other
// errors name the file. Blocks.
Result<Credentials> LoadCredentials(const std::filesystem::path& data);

}  // namespace outport::node
