#pragma once

#include <filesystem>
#include <string>

#include "registry/base/file.h"
#include "registry/base/result.h"
#include "store/authority/certificates.h"

namespace outport::store {

// Makes the first administrator's credentials for outportctl: FOLDER/{ca.crt,admin.crt,admin.key,
// outportctl.yml}, the last one naming the store at `store_address` (host:port of the fleet's
// port). kAlreadyExists if the folder has a key already. Blocks.
Result<void> CreateAdminProfile(FileSystem& files, const std::filesystem::path& folder,
                                const std::string& name, const std::string& store_address,
                                Certificates& certificates);

}  // namespace outport::store
