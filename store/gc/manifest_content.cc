#include "store/gc/manifest_content.h"

#include <algorithm>
#include <string>
#include <vector>

#include "registry/records/rows.h"

namespace outport::store {

namespace {

template <class Source>
Result<bool> IsReferenced(Source& source, const ContentKey& content, const v1::ManifestRow& row) {
  const auto& [repository, digest] = content;
  TRY(const std::vector<KeyValue> tags,
      source.Scan({.prefix = keys::TagsOn(repository, digest), .limit = 1}));
  if (!tags.empty()) return true;
  TRY(const auto parent, Collection::FindReference(source, repository, digest));
  if (parent.has_value()) return true;
  if (row.subject().empty()) return false;
  TRY(const Digest subject, Digest::Parse(row.subject()));
  return HasRow(source, keys::ManifestOf(repository, subject));
}

}  // namespace

Result<bool> IsManifestReferenced(MetaTransaction& transaction, const ContentKey& content,
                                  const v1::ManifestRow& row) {
  return IsReferenced(transaction, content, row);
}

Result<bool> IsManifestReferenced(const MetaView& view, const ContentKey& content,
                                  const v1::ManifestRow& row) {
  return IsReferenced(view, content, row);
}

int64_t KeptUntilMs(const v1::UntaggedRow& candidate, const v1::ManifestRow& row,
                    const CollectionTimes& times, int64_t keep_for_ms) {
  const int64_t wait_ms = std::max<int64_t>(times.grace.count(), keep_for_ms);
  return std::max(candidate.since_ms() + wait_ms, KeptByTouchMs(times, row.lease_until_ms()));
}

}  // namespace outport::store
