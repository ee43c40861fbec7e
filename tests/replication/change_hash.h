#pragma once

#include <string>
#include <string_view>

#include "registry/base/bytes.h"
#include "registry/storage/meta_log.h"

namespace outport {

// The change log's hash after `record`, which follows a record with the hash `before` (32 bytes).
inline std::string NextHash(std::string_view before, std::string_view record) {
  return std::string(AsText(NextPosition(*ToLogPosition(0, before), record).hash));
}

}  // namespace outport
