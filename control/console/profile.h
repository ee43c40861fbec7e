#pragma once

#include <filesystem>
#include <string>

#include "registry/base/result.h"
#include "registry/rpc/channel.h"

namespace outport::control {

// A profile: the address of a store and an administrator's identity. Its files are
// FOLDER/{outportctl.yml,ca.crt,admin.crt,admin.key}. `outport-store init` and
// `cert issue --role admin` create one.
struct Profile {
  std::filesystem::path folder;
  std::string store;  // host:port of the store's fleet port
  rpc::TlsIdentity identity;

  // Loads a profile. Blocks. Returns kFailedPrecondition, with the fix, if a file is missing,
  // others can read the key, or the certificate is expired.
  static Result<Profile> Load(const std::filesystem::path& folder);
  // Creates the folder if it is missing, and writes the files. The key file has mode 0600. If the
  // key is empty, keeps the existing key file. Blocks.
  Result<void> Save() const;
};

}  // namespace outport::control
