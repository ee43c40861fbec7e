#pragma once

#include <filesystem>
#include <string>

#include "registry/rpc/channel.h"

namespace outport::node {

// The identity of a node that has joined a fleet, from DATA/pki: the node's name, and the
// certificate and key with which the node dials the store.
struct NodeIdentity {
  std::string name;    // the node's
  std::string domain;  // the fleet's
  rpc::TlsIdentity tls;
};

// Loads the identity from the data folder. Returns kFailedPrecondition if the folder has not joined
// a fleet. Other errors name the file. Blocks.
Result<NodeIdentity> LoadNodeIdentity(const std::filesystem::path& data);

}  // namespace outport::node
