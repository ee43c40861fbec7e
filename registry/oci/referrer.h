#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "registry/oci/digest.h"

namespace outport {

// A manifest that names another manifest as its subject, with the fields that the referrers API
// shows (OCI distribution-spec, "Listing Referrers"). A value type.
struct ReferrerInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string artifact_type;  // empty: the manifest has no type
  std::map<std::string, std::string> annotations;
};

}  // namespace outport
