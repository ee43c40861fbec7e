#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/security/pki/pki.h"

namespace outport::store {

// The files of a store's DATA/pki. Folders have mode 0700, keys 0600:
//   root.crt root.key issuing.crt issuing.key, and the files of the fleet port (fleet_files.h)
struct AuthorityFiles {
  pki::Authority authority;  // without the root's key, which only signs issuing CAs
  std::string server_chain;  // PEM: leaf, issuing CA, root
  std::string server_key;

  ~AuthorityFiles() { Wipe(server_key); }
};

// Creates the fleet's authority, and the store's server certificate for `host_names` (DNS names and
// IP addresses), with keys of `type`. If `folder` has an authority, returns kAlreadyExists with the
// name of the file. Blocks.
Result<AuthorityFiles> CreateAuthorityFiles(FileSystem& files, const std::filesystem::path& folder,
                                            const std::string& domain,
                                            const std::vector<std::string>& host_names,
                                            pki::KeyType type = pki::KeyType::kEcdsaP256);

// Both functions load DATA/pki; LoadAuthority() omits the files of the fleet port. They return
// kFailedPrecondition if a file is missing, if another user may read a key, or if the authority is
// invalid. The error names the file and says what to do. Both block.
Result<pki::Authority> LoadAuthority(const std::filesystem::path& folder,
                                     const std::string& domain);
Result<AuthorityFiles> LoadAuthorityFiles(const std::filesystem::path& folder,
                                          const std::string& domain);

}  // namespace outport::store
