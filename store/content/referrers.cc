#include "store/content/referrers.h"

#include <utility>
#include <vector>

#include "registry/records/rows.h"
#include "registry/service/listing.h"

namespace outport::store {
namespace {

Result<ReferrerInfo> ToReferrerInfo(const KeyValue& row, std::string_view prefix) {
  TRY(Digest digest, Digest::Parse(keys::After(row.key, prefix)));
  TRY(const v1::ReferrerRow referrer, ParseRow<v1::ReferrerRow>(row.key, row.value));
  ReferrerInfo info{.digest = std::move(digest),
                    .media_type = referrer.media_type(),
                    .size_bytes = referrer.size_bytes(),
                    .artifact_type = referrer.artifact_type(),
                    .annotations = {}};
  for (const v1::ReferrerRow::Annotation& annotation : referrer.annotations()) {
    info.annotations.emplace(annotation.key(), annotation.value());
  }
  return info;
}

}  // namespace

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
  const std::string prefix = keys::ReferrersOf(repository, subject);
  const auto scan = [&](const std::string& after) -> Result<std::vector<ReferrerInfo>> {
    TRY(const std::vector<KeyValue> rows, meta_.Scan({.prefix = prefix,
                                                      .after = after.empty() ? "" : prefix + after,
                                                      .limit = kMaxPage,
                                                      .limit_bytes = kReferrerScanBytes}));
    std::vector<ReferrerInfo> referrers;
    for (const KeyValue& row : rows) {
      TRY(ReferrerInfo info, ToReferrerInfo(row, prefix));
      referrers.push_back(std::move(info));
    }
    return referrers;
  };
  return PageOfReferrers(artifact_type, page, scan);
}

}  // namespace outport::store
