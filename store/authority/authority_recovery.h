#pragma once

#include <filesystem>
#include <string>

#include "registry/base/file.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/authority/authority_files.h"

namespace outport::store {

// Loads DATA/pki when a store starts. First it completes the last step of a CA rotation if a crash
// interrupted that step, replaces a missing server key, and writes a missing trust bundle. Fails
// like LoadAuthorityFiles(). Blocks.
Result<AuthorityFiles> RecoverAuthorityFiles(FileSystem& files, const std::filesystem::path& pki,
                                             const std::string& domain, const MetaStore& meta);

}  // namespace outport::store
