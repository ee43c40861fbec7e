#pragma once

#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/result.h"

namespace outport::node {

struct JoinOptions {
  std::filesystem::path data;
  std::string token;  // printed by `outportctl node invite`
  std::string registry_listen = "0.0.0.0:5000";
  std::string operations_listen = "127.0.0.1:5002";
  std::filesystem::path config_out;     // empty: DATA/node.yml
  std::string key_type = "ecdsa-p256";  // for new keys; see pki::ParseKeyType()
  // The node of this folder joins its fleet again under the same name, after its certificates
  // expired or an administrator removed the node. Keys, configuration and cached blobs stay.
  bool replace = false;
  std::string version = "unknown";           // of this program, for DATA/format
  std::chrono::milliseconds timeout{20000};  // for each of the two calls to the store
};

struct Joined {
  std::string node;
  std::string store;
  std::filesystem::path config;
};

// Makes this machine a node of the fleet. Join() trusts the store only if the store's certificate
// chains to the root whose fingerprint is in the token, names the host in the token, and has the
// role `store`. Join() creates two keys, exchanges the
// token for their certificates, and writes the configuration and DATA/pki:
//   authorities.crt (root, issuing CA)  server.crt server.key (HTTPS)  identity.key identity.crt
// Join() writes the keys first. A retry uses them again, because the token works only with the keys
// that used it first. Join() writes identity.crt last, as the mark that the node has joined.
// Refuses data that is newer than this program before it uses the token. Returns kAlreadyExists if
// the folder has joined and `replace` is false, if the folder belongs to another node or fleet, or
// if the configuration file exists with other content. Blocks.
Result<Joined> Join(const JoinOptions& options);

}  // namespace outport::node
