#pragma once

#include <filesystem>
#include <string>

#include "registry/base/file.h"
#include "registry/base/result.h"
#include "store/authority/certificates.h"

namespace outport::store {

// Creates the first administrator's profile for outportctl: FOLDER/{ca.crt,admin.crt,admin.key,
// outportctl.yml}. outportctl.yml names the store at `store_address` (host:port of the fleet port).
// Returns kAlreadyExists if the folder has a key. Blocks.
Result<void> CreateAdminProfile(FileSystem& files, const std::filesystem::path& folder,
                                const std::string& name, const std::string& store_address,
                                Certificates& certificates);

}  // namespace outport::store
