#pragma once

#include <cstddef>
#include <string>

#include "registry/base/result.h"

namespace outport {

// Most problems of a YAML file that an error lists.
inline constexpr size_t kMaxYamlProblems = 100;

// Checks a YAML file before it is loaded. The file is one document of at most 1 MiB, in UTF-8 and
// without control characters, tabs in the indentation, anchors and aliases, with at most 32 levels.
// A loader reads only the first document, and expands an alias as often as it occurs. Returns
// kInvalidArgument with at most 100 problems, one per line, each as "FILE:LINE: problem, and its
// fix".
Result<void> CheckYaml(const std::string& text, const std::string& file_name);

}  // namespace outport
