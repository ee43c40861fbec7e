#include "registry/records/content_rows.h"

#include "registry/records/keys.h"
#include "registry/records/rows.h"

namespace outport {
namespace {

std::vector<std::string> Names(std::vector<KeyValue> rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (KeyValue& row : rows) names.push_back(std::move(row.key));
  return names;
}

// The key of `row` is the digest of the referrer.
Result<ReferrerInfo> ToReferrerInfo(const KeyValue& row) {
  TRY(Digest digest, Digest::Parse(row.key));
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

template <class Row>
Result<std::optional<Row>> ContentRows::Read(const std::string& key) const {
  return ReadRow<Row>(view_, prefix_ + key);
}

Result<std::vector<KeyValue>> ContentRows::Scan(const std::string& section, ScanRange range) const {
  const std::string begin = prefix_ + section;
  range.prefix.insert(0, begin);
  if (!range.after.empty()) range.after.insert(0, begin);
  TRY(std::vector<KeyValue> rows, view_.Scan(range));
  for (KeyValue& row : rows) row.key.erase(0, begin.size());
  return rows;
}

Result<std::optional<ResolveAnswer::Content>> ContentRows::Find(
    const ResolveQuestion& question) const {
  using Content = ResolveAnswer::Content;
  if (const Tag* tag = std::get_if<Tag>(&question.reference)) {
    TRY(const auto row, Read<v1::TagRow>(keys::TagOf(question.repository, *tag)));
    if (!row.has_value()) return std::optional<Content>();
    TRY(Digest digest, Digest::Parse(row->digest()));
    return Content{std::move(digest), row->media_type(), row->size_bytes()};
  }
  const Digest& digest = std::get<Digest>(question.reference);
  if (question.kind == ResolveQuestion::Kind::kBlob) {
    TRY(const auto row, Read<v1::LinkRow>(keys::Link(question.repository, digest)));
    if (!row.has_value()) return std::optional<Content>();
    return Content{digest, "", row->size_bytes()};
  }
  TRY(const auto row, FindManifest(question.repository, digest));
  if (!row.has_value()) return std::optional<Content>();
  return Content{digest, row->media_type(), row->size_bytes()};
}

Result<ResolveAnswer> ContentRows::Resolve(const ResolveQuestion& question) const {
  ResolveAnswer answer;
  TRY(answer.content, Find(question));
  // If the repository has the content, the repository exists.
  answer.repository_known = answer.found();
  if (!answer.found()) {
    TRY(answer.repository_known, HasRepository(question.repository));
  }
  return answer;
}

Result<bool> ContentRows::HasRepository(const RepositoryName& repository) const {
  return HasRow(view_, prefix_ + keys::Repository(repository));
}

Result<std::optional<v1::ManifestRow>> ContentRows::FindManifest(const RepositoryName& repository,
                                                                 const Digest& digest) const {
  return Read<v1::ManifestRow>(keys::ManifestOf(repository, digest));
}

Result<std::vector<std::string>> ContentRows::ListTags(const RepositoryName& repository,
                                                       const std::string& after,
                                                       size_t limit) const {
  TRY(std::vector<KeyValue> rows,
      Scan(keys::TagsOf(repository), {.prefix = "", .after = after, .limit = limit}));
  return Names(std::move(rows));
}

Result<std::vector<std::string>> ContentRows::ListRepositories(const std::string& begin,
                                                               const std::string& after,
                                                               size_t limit) const {
  TRY(std::vector<KeyValue> rows,
      Scan(std::string(keys::kRepositories), {.prefix = begin, .after = after, .limit = limit}));
  return Names(std::move(rows));
}

Result<std::vector<ReferrerInfo>> ContentRows::ListReferrers(const RepositoryName& repository,
                                                             const Digest& subject,
                                                             const std::string& after, size_t limit,
                                                             size_t limit_bytes) const {
  const ScanRange range{.prefix = "", .after = after, .limit = limit, .limit_bytes = limit_bytes};
  TRY(const std::vector<KeyValue> rows, Scan(keys::ReferrersOf(repository, subject), range));
  std::vector<ReferrerInfo> referrers;
  for (const KeyValue& row : rows) {
    TRY(ReferrerInfo info, ToReferrerInfo(row));
    referrers.push_back(std::move(info));
  }
  return referrers;
}

}  // namespace outport
