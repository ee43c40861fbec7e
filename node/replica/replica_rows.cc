#include "node/replica/replica_rows.h"

#include <utility>

#include "registry/records/keys.h"
#include "registry/service/listing.h"

namespace outport::node {
namespace {

template <class Row>
Result<std::optional<Row>> Parse(const std::optional<std::string>& value, const std::string& key) {
  if (!value.has_value()) return std::optional<Row>();
  Row row;
  if (!row.ParseFromString(*value)) {
    return Error{ErrorCode::kCorrupt,
                 "reading the node's metadata: the row '" + key + "' does not parse"};
  }
  return std::optional<Row>(std::move(row));
}

std::vector<std::string> Names(std::vector<KeyValue> rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (KeyValue& row : rows) names.push_back(std::move(row.key));
  return names;
}

// `row`: its key is the digest of what refers.
Result<ReferrerInfo> ToReferrerInfo(const KeyValue& row) {
  TRY(Digest digest, Digest::Parse(row.key));
  TRY(const auto referrer, Parse<v1::ReferrerRow>(row.value, row.key));
  ReferrerInfo info{.digest = std::move(digest),
                    .media_type = referrer->media_type(),
                    .size_bytes = referrer->size_bytes(),
                    .artifact_type = referrer->artifact_type(),
                    .annotations = {}};
  for (const v1::ReferrerRow::Annotation& annotation : referrer->annotations()) {
    info.annotations.emplace(annotation.key(), annotation.value());
  }
  return info;
}

template <class Row>
void Found(const Row& row, const std::string& digest, v1::ResolveResponse& answer) {
  answer.set_found(true);
  answer.set_digest(digest);
  answer.set_media_type(row.media_type());
  answer.set_size_bytes(row.size_bytes());
}

}  // namespace

Result<std::optional<std::string>> ReplicaRows::View::Get(const std::string& key) const {
  return meta->Get(GenerationPrefix(replica.generation()) + key);
}

Result<ReplicaRows::View> ReplicaRows::Open() const {
  View view{meta_.Snapshot(), {}};
  const std::string key(keys::kReplica);
  TRY(const auto value, view.meta->Get(key));
  TRY(auto row, Parse<v1::ReplicaRow>(value, key));
  if (row.has_value()) view.replica = *std::move(row);
  return view;
}

Result<void> ReplicaRows::LookUp(const View& view, const RepositoryName& repository,
                                 const v1::ResolveRequest& request, v1::ResolveResponse& answer) {
  if (request.has_blob()) {
    TRY(const Digest digest, Digest::Parse(request.blob()));
    const std::string key = keys::Link(repository, digest);
    TRY(const auto value, view.Get(key));
    TRY(const auto row, Parse<v1::LinkRow>(value, key));
    if (!row.has_value()) return {};
    answer.set_found(true);
    answer.set_digest(request.blob());
    answer.set_size_bytes(row->size_bytes());
    return {};
  }
  TRY(const Reference reference, ParseReference(request.reference()));
  if (const Tag* tag = std::get_if<Tag>(&reference)) {
    const std::string key = keys::TagOf(repository, *tag);
    TRY(const auto value, view.Get(key));
    TRY(const auto row, Parse<v1::TagRow>(value, key));
    if (row.has_value()) Found(*row, row->digest(), answer);
    return {};
  }
  const std::string key = keys::ManifestOf(repository, std::get<Digest>(reference));
  TRY(const auto value, view.Get(key));
  TRY(const auto row, Parse<v1::ManifestRow>(value, key));
  if (row.has_value()) Found(*row, request.reference(), answer);
  return {};
}

Result<v1::ResolveResponse> ReplicaRows::Answer(const v1::ResolveRequest& request) const {
  TRY(const RepositoryName repository, RepositoryName::Parse(request.repository()));
  TRY(const View view, Open());
  v1::ResolveResponse answer;
  *answer.mutable_head() = PositionOf(view.replica);
  TRY_VOID(LookUp(view, repository, request, answer));
  answer.set_repository_known(answer.found());
  if (!answer.found()) {
    TRY(const auto known, view.Get(keys::Repository(repository)));
    answer.set_repository_known(known.has_value());
  }
  return answer;
}

Result<std::vector<KeyValue>> ReplicaRows::List(const View& view, const std::string& section,
                                                ScanRange range) {
  const std::string begin = GenerationPrefix(view.replica.generation()) + section;
  range.prefix.insert(0, begin);
  if (!range.after.empty()) range.after.insert(0, begin);
  TRY(std::vector<KeyValue> rows, view.meta->Scan(range));
  for (KeyValue& row : rows) row.key.erase(0, begin.size());
  return rows;
}

Result<std::optional<v1::ManifestRow>> ReplicaRows::FindManifest(const RepositoryName& repository,
                                                                 const Digest& digest) const {
  const std::string key = keys::ManifestOf(repository, digest);
  TRY(const View view, Open());
  TRY(const auto value, view.Get(key));
  return Parse<v1::ManifestRow>(value, key);
}

Result<ReplicaRows::Tags> ReplicaRows::ListTags(const RepositoryName& repository,
                                                const std::string& after, size_t limit) const {
  TRY(const View view, Open());
  Tags tags{{}, false, PositionOf(view.replica)};
  TRY(const auto known, view.Get(keys::Repository(repository)));
  tags.repository_known = known.has_value();
  TRY(std::vector<KeyValue> rows,
      List(view, keys::TagsOf(repository), {.prefix = "", .after = after, .limit = limit}));
  tags.names = Names(std::move(rows));
  return tags;
}

Result<std::vector<std::string>> ReplicaRows::ListRepositories(const std::string& prefix,
                                                               const std::string& after,
                                                               size_t limit) const {
  TRY(const View view, Open());
  const std::string section(keys::kRepositories);
  TRY(std::vector<KeyValue> rows,
      List(view, section, {.prefix = prefix, .after = after, .limit = limit}));
  return Names(std::move(rows));
}

Result<std::vector<ReferrerInfo>> ReplicaRows::ListReferrers(const RepositoryName& repository,
                                                             const Digest& subject,
                                                             const std::string& after) const {
  TRY(const View view, Open());
  const std::string section = keys::ReferrersOf(repository, subject);
  TRY(const std::vector<KeyValue> rows,
      List(view, section,
           {.prefix = "", .after = after, .limit = kMaxPage, .limit_bytes = kReferrerScanBytes}));
  std::vector<ReferrerInfo> referrers;
  for (const KeyValue& row : rows) {
    TRY(ReferrerInfo info, ToReferrerInfo(row));
    referrers.push_back(std::move(info));
  }
  return referrers;
}

}  // namespace outport::node
