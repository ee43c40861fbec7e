#pragma once

#include <filesystem>
#include <string>

#include "registry/rpc/channel.h"

namespace outport::node {

// What a node holds since it joined (DATA/pki): who it is to the store.
struct Credentials {
  std::string name;  // of the node
  rpc::TlsIdentity identity;
};

// kFailedPrecondition if the folder is no node's; other errors name the file. Blocks.
Result<Credentials> LoadCredentials(const std::filesystem::path& data);

}  // namespace outport::node
