#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "registry/rpc/channel.h"
#include "registry/security/tls.h"

namespace outport::node {

// What a node holds since it joined (DATA/pki): who it is to the store, and what it shows clients.
struct Credentials {
  std::string name;  // of the node
  rpc::TlsIdentity identity;
  std::shared_ptr<ServerTlsContext> server;  // shared with the connections
  std::chrono::system_clock::time_point server_ends;
};

// kFailedPrecondition if the folder is no node's; other errors name the file. Blocks.
Result<Credentials> LoadCredentials(const std::filesystem::path& data);

}  // namespace outport::node
