#include "store/content/stored_manifest.h"

#include <utility>

#include "registry/base/bytes.h"
#include "registry/records/keys.h"

namespace outport::store {

Result<std::optional<Manifest>> ReadManifest(const MetaView& meta, const Digest& digest,
                                             const std::string& media_type) {
  TRY(const std::optional<std::string> body, meta.Get(keys::Content(digest)));
  if (!body.has_value() || Digest::Of(digest.algorithm(), AsBytes(*body)) != digest) {
    return std::optional<Manifest>();
  }
  TRY(Manifest manifest, Manifest::ParseStored(*body, media_type));
  return std::optional<Manifest>(std::move(manifest));
}

}  // namespace outport::store
