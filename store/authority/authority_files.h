#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/pki/pki.h"

namespace outport::store {

// What DATA/pki of a store holds. Folders are 0700, keys 0600:
//   root.crt root.key issuing.crt issuing.key, and what the fleet's port shows (fleet_files.h)
struct AuthorityFiles {
  pki::Authority authority;  // without the root's key: it is for signing issuing CAs only
  std::string server_chain;  // PEM: leaf, issuing CA, root
  std::string server_key;

  ~AuthorityFiles() { Wipe(server_key); }
};

// Makes the fleet's authority and the store's server certificate for `host_names` (DNS names and IP
// addresses), with keys of `type`. kAlreadyExists, naming the file, if there is an authority in
// `folder`. Blocks.
Result<AuthorityFiles> CreateAuthorityFiles(FileSystem& files, const std::filesystem::path& folder,
                                            const std::string& domain,
                                            const std::vector<std::string>& host_names,
                                            pki::KeyType type = pki::KeyType::kEcdsaP256);

// kFailedPrecondition names a file that is missing and what to do, or a key that others than its
// owner may read, or says why certificates of this issuing CA would be good for nothing. The first
// leaves out what the fleet's port shows. Block.
Result<pki::Authority> LoadAuthority(const std::filesystem::path& folder,
                                     const std::string& domain);
Result<AuthorityFiles> LoadAuthorityFiles(const std::filesystem::path& folder,
                                          const std::string& domain);

}  // namespace outport::store
