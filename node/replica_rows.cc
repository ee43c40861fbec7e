#include "node/replica_rows.h"

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

}  // namespace

// A generation that stopped serving while it was read may already be going: look again.
Result<std::optional<std::string>> ReplicaRows::Get(const std::string& key) const {
  for (;;) {
    const uint64_t generation = replica_.generation();
    TRY(auto value, meta_.Get(GenerationPrefix(generation) + key));
    if (replica_.generation() == generation) return value;
  }
}

Result<std::vector<std::string>> ReplicaRows::List(const std::string& prefix,
                                                   const std::string& after, size_t limit) const {
  for (;;) {
    const uint64_t generation = replica_.generation();
    const std::string begin = GenerationPrefix(generation) + prefix;
    const ScanRange range{
        .prefix = begin, .after = after.empty() ? "" : begin + after, .limit = limit};
    TRY(const std::vector<KeyValue> rows, meta_.Scan(range));
    if (replica_.generation() != generation) continue;
    std::vector<std::string> names;
    for (const KeyValue& row : rows) names.emplace_back(keys::After(row.key, begin));
    return names;
  }
}

Result<bool> ReplicaRows::HasRepository(const RepositoryName& repository) const {
  TRY(const auto value, Get(keys::Repository(repository)));
  return value.has_value();
}

Result<std::optional<v1::TagRow>> ReplicaRows::FindTag(const RepositoryName& repository,
                                                       const Tag& tag) const {
  const std::string key = keys::TagOf(repository, tag);
  TRY(const auto value, Get(key));
  return Parse<v1::TagRow>(value, key);
}

Result<std::optional<v1::ManifestRow>> ReplicaRows::FindManifest(const RepositoryName& repository,
                                                                 const Digest& digest) const {
  const std::string key = keys::ManifestOf(repository, digest);
  TRY(const auto value, Get(key));
  return Parse<v1::ManifestRow>(value, key);
}

Result<std::optional<v1::LinkRow>> ReplicaRows::FindLink(const RepositoryName& repository,
                                                         const Digest& digest) const {
  const std::string key = keys::Link(repository, digest);
  TRY(const auto value, Get(key));
  return Parse<v1::LinkRow>(value, key);
}

Result<std::vector<std::string>> ReplicaRows::ListTags(const RepositoryName& repository,
                                                       const std::string& after,
                                                       size_t limit) const {
  return List(keys::TagsOf(repository), after, limit);
}

Result<std::vector<std::string>> ReplicaRows::ListRepositories(const std::string& after,
                                                               size_t limit) const {
  return List(std::string(keys::kRepositories), after, limit);
}

}  // namespace outport::node
