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

  // Loads a profile. Blocks. kFailedPrecondition names the problem and the fix: a missing file, a
  // key that others can read, an expired certificate.
  static Result<Profile> Load(const std::filesystem::path& folder);
  // Creates the folder if it is missing, and writes the files. The key file has mode 0600; an empty
  // key keeps the key that is there. Blocks.
  Result<void> Save() const;
};

}  // namespace outport::control
