#include "store/content/referrers.h"

#include "registry/records/content_rows.h"
#include "registry/service/listing.h"

namespace outport::store {
v1::ReferrerRow ToReferrerRow(const Manifest& manifest, uint64_t size_bytes) {
  v1::ReferrerRow row;
  row.set_media_type(manifest.media_type);
  row.set_size_bytes(size_bytes);
  row.set_artifact_type(manifest.artifact_type);
  for (const auto& [key, value] : manifest.annotations) {
    v1::ReferrerRow::Annotation& annotation = *row.add_annotations();
    annotation.set_key(key);
    annotation.set_value(value);
  }
  return row;
}

Result<ReferrersPage> Referrers::List(const RepositoryName& repository, const Digest& subject,
                                      const std::string& artifact_type,
                                      const PageRequest& page) const {
  const auto scan = [&](const std::string& after) {
    return ContentRows(meta_).ListReferrers(repository, subject, after, kMaxPage,
                                            kReferrerScanBytes);
  };
  return PageOfReferrers(artifact_type, page, scan);
}

}  // namespace outport::store
