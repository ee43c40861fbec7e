#pragma once

#include <filesystem>
#include <string>

#include "registry/rpc/channel.h"

namespace outport::node {

// Who a node that has joined is (DATA/pki): its name in the fleet, and the certificate and key with
// which it dials the store.
struct NodeIdentity {
  std::string name;  // the node's
  rpc::TlsIdentity tls;
};

// Loads them from the data folder. kFailedPrecondition if the folder has not joined a fleet; other
// errors name the file. Blocks.
Result<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data);

}  // namespace outport::node
