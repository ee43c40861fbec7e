#include "node/replica_rows.h"

#include <utility>

#include "registry/storage/keys.h"

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

Result<std::vector<std::string>> ReplicaRows::List(const View& view, const std::string& prefix,
                                                   const std::string& after, size_t limit) {
  const std::string begin = GenerationPrefix(view.replica.generation()) + prefix;
  const ScanRange range{
      .prefix = begin, .after = after.empty() ? "" : begin + after, .limit = limit};
  TRY(const std::vector<KeyValue> rows, view.meta->Scan(range));
  std::vector<std::string> names;
  for (const KeyValue& row : rows) names.emplace_back(keys::After(row.key, begin));
  return names;
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
  TRY(tags.names, List(view, keys::TagsOf(repository), after, limit));
  return tags;
}

Result<std::vector<std::string>> ReplicaRows::ListRepositories(const std::string& after,
                                                               size_t limit) const {
  TRY(const View view, Open());
  return List(view, std::string(keys::kRepositories), after, limit);
}

}  // namespace outport::node
