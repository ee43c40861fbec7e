#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "registry/oci/digest.h"

namespace outport {

// A manifest that names another manifest as its subject, as the referrers API lists it (OCI
// distribution-spec, "Listing Referrers"). A value.
struct ReferrerInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::string artifact_type;  // empty: it has none
  std::map<std::string, std::string> annotations;
};

}  // namespace outport
