#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/result.h"

namespace outport::node {

struct JoinOptions {
  std::filesystem::path data;
  std::string token;  // of `outportctl node invite`
  std::string registry_listen = "0.0.0.0:5000";
  std::string operations_listen = "127.0.0.1:5002";
  std::filesystem::path config_out;     // empty: DATA/node.yml
  std::string key_type = "ecdsa-p256";  // of keys that are not there yet; pki::ParseKeyType()
  // This folder's node joins its fleet again, under the name that it has: its certificates ran out,
  // or it was removed. Keys, configuration and what it has fetched stay.
  bool replace = false;
  std::chrono::milliseconds timeout{20000};  // for each of the two conversations with the store
};

struct Joined {
  std::string node;
  std::string store;
  std::filesystem::path config;
};

// Makes this machine a node of the fleet: trusts the store only if its chain holds the authority
// whose fingerprint the token carries, makes two keys, trades the token for their certificates, and
// writes DATA/pki and the configuration:
//   authorities.crt (root, issuing CA)  server.crt server.key (HTTPS)  identity.key identity.crt
// The keys are written first and used again by a retry, because the token binds to them;
// identity.crt is written last and says that the node has joined.
// kAlreadyExists if it has and is not to be replaced, or if it is another fleet's or another
// name's, or if another configuration is in the way. Blocks.
Result<Joined> Join(const JoinOptions& options);

}  // namespace outport::node
