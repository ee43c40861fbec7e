#pragma once

#include <optional>
#include <string>

#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/manifest.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Parses the stored bytes of a manifest. nullopt if the bytes are absent or corrupt. The error of
// Manifest::ParseStored() if the bytes have the right digest, but are no manifest. Blocks.
Result<std::optional<Manifest>> ReadManifest(const MetaView& meta, const Digest& digest,
                                             const std::string& media_type);

}  // namespace outport::store
