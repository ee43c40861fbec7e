#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "registry/base/result.h"

namespace outport {

// How ReadBeneath() finds a file. kByName is for kernels before Linux 5.6, and for containers whose
// filter forbids the system call openat2().
enum class Lookup { kByKernel, kByName };

// Reads the file `folder`/names[0]/names[1]/… without following a symbolic link below `folder`.
// Another program writes the folder, and a link could lead to a secret of this process. Returns
// kNotFound if there is no regular file, and kInvalidArgument if the file is larger than
// `limit_bytes`. Falls back from kByKernel to kByName. Blocks. REQUIRES: no name is empty, ".",
// ".." or has a '/'.
Result<std::string> ReadBeneath(const std::filesystem::path& folder,
                                const std::vector<std::string>& names, uint64_t limit_bytes,
                                Lookup lookup = Lookup::kByKernel);

}  // namespace outport
