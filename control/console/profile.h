#pragma once

#include <filesystem>
#include <string>

#include "registry/base/result.h"
#include "registry/rpc/channel.h"

namespace outport::control {

// Which store an administrator works with, and as whom: FOLDER/{outportctl.yml,ca.crt,admin.crt,
// admin.key}. `outport-store init` and `cert issue --role admin` make one.
struct Profile {
  std::filesystem::path folder;
  std::string store;  // host:port of the fleet's port
  rpc::TlsIdentity identity;

  // kFailedPrecondition names the file that is missing, or the key that others may read, or the
  // certificate that has expired, and what to do.
  static Result<Profile> Load(const std::filesystem::path& folder);
  // Makes the folder if need be; the key is 0600. An empty one leaves what is there.
  Result<void> Save() const;
};

}  // namespace outport::control
