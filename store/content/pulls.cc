#include "store/content/pulls.h"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "registry/oci/manifest.h"
#include "registry/records/rows.h"
#include "store/content/stored_manifest.h"

namespace outport::store {
namespace {

using Durability = MetaTransaction::Durability;

constexpr size_t kRowsInTransaction = 256;
constexpr size_t kMaxRelatives = 1000;  // of a manifest, in either direction
constexpr int kMaxDepth = 8;            // of indexes in indexes
constexpr int64_t kHourMs = 3'600'000;

bool IsDigest(const Reference& reference) { return std::holds_alternative<Digest>(reference); }

std::string KeyOf(const RepositoryName& repository, const Reference& reference) {
  if (const Tag* tag = std::get_if<Tag>(&reference)) return keys::TagOf(repository, *tag);
  return keys::ManifestOf(repository, std::get<Digest>(reference));
}

// Locks the pull's row before it looks for the content. A deletion of the content locks the same
// row. So either this finds no content, or the deletion finds the row.
Result<void> WritePull(MetaTransaction& transaction, const Pull& pull, const std::string& node,
                       WrittenPulls& written) {
  const std::string key = keys::Pull(pull.repository, ToString(pull.reference));
  TRY(const auto old, LockRow<v1::PullRow>(transaction, key));
  TRY(const bool exists, HasRow(transaction, KeyOf(pull.repository, pull.reference)));
  if (!exists) {
    ++written.unknown;
    return {};
  }
  if (old.has_value() && pull.time_ms / kHourMs <= old->last_ms() / kHourMs) return {};
  v1::PullRow row;
  row.set_last_ms(pull.time_ms);
  row.set_node(node);
  ++written.rows;
  return WriteRow(transaction, key, row);
}

Result<WrittenPulls> WriteSome(MetaStore& meta, std::span<const Pull> pulls,
                               const std::string& node, Durability durability) {
  WrittenPulls written;
  auto write = [&](MetaTransaction& transaction) -> Result<void> {
    written = {};
    for (const Pull& pull : pulls) TRY_VOID(WritePull(transaction, pull, node, written));
    return {};
  };
  TRY_VOID(Transact(meta, write, durability));
  return written;
}

void KeepNewer(std::optional<v1::PullRow>& newest, const std::optional<v1::PullRow>& other) {
  if (!other.has_value()) return;
  if (!newest.has_value() || newest->last_ms() < other->last_ms()) newest = other;
}

// Returns the manifests that an index lists; none if its bytes are absent or corrupt.
Result<std::vector<Digest>> ChildrenOf(const MetaView& view, const RepositoryName& repository,
                                       const Digest& digest) {
  std::vector<Digest> children;
  TRY(const auto row, ReadRow<v1::ManifestRow>(view, keys::ManifestOf(repository, digest)));
  if (!row.has_value()) return children;
  const bool is_index =
      row->media_type() == media_type::kOciIndex || row->media_type() == media_type::kDockerList;
  if (!is_index) return children;
  const Result<std::optional<Manifest>> manifest = ReadManifest(view, digest, row->media_type());
  if (!manifest.has_value() || !manifest->has_value()) return children;
  for (const Descriptor& child : (*manifest)->manifests) {
    if (children.size() == kMaxRelatives) break;
    children.push_back(child.digest);
  }
  return children;
}

Result<std::vector<Digest>> ParentsOf(const MetaView& view, const RepositoryName& repository,
                                      const Digest& digest) {
  const std::string prefix = keys::ReferencesTo(digest, repository);
  TRY(const std::vector<KeyValue> rows, view.Scan({.prefix = prefix, .limit = kMaxRelatives}));
  std::vector<Digest> parents;
  for (const KeyValue& row : rows) {
    TRY(Digest parent, Digest::Parse(keys::After(row.key, prefix)));
    parents.push_back(std::move(parent));
  }
  return parents;
}

// Looks at the pulls of the manifests that `relatives_of(view, repository, digest)` returns, of
// their relatives and so on. Keeps the newest.
template <class RelativesOf>
Result<void> AddPullsOfRelatives(const MetaView& view, const RepositoryName& repository,
                                 const Digest& digest, const RelativesOf& relatives_of,
                                 std::optional<v1::PullRow>& newest) {
  std::set<std::string> seen{digest.ToString()};
  std::vector<Digest> level{digest};
  for (int depth = 0; depth < kMaxDepth && !level.empty(); ++depth) {
    std::vector<Digest> next;
    for (const Digest& member : level) {
      TRY(const std::vector<Digest> relatives, relatives_of(view, repository, member));
      for (const Digest& relative : relatives) {
        if (seen.size() > kMaxRelatives) return {};
        if (!seen.insert(relative.ToString()).second) continue;
        TRY(const auto pull, FindPull(view, repository, relative));
        KeepNewer(newest, pull);
        next.push_back(relative);
      }
    }
    level = std::move(next);
  }
  return {};
}

}  // namespace

// The order of the locks is that of DeletePull(), so that no two transactions deadlock.
Result<WrittenPulls> WritePulls(MetaStore& meta, std::vector<Pull> pulls, const std::string& node,
                                Durability durability) {
  std::ranges::sort(pulls, {}, [](const Pull& pull) {
    return std::tuple(pull.repository.ToString(), IsDigest(pull.reference),
                      ToString(pull.reference));
  });
  WrittenPulls all;
  for (std::span<const Pull> left = pulls; !left.empty();) {
    const size_t count = std::min(left.size(), kRowsInTransaction);
    TRY(const WrittenPulls written, WriteSome(meta, left.first(count), node, durability));
    all.rows += written.rows;
    all.unknown += written.unknown;
    left = left.subspan(count);
  }
  return all;
}

Result<void> DeletePull(MetaTransaction& transaction, const RepositoryName& repository,
                        std::string_view reference) {
  return transaction.Delete(keys::Pull(repository, reference));
}

Result<std::optional<v1::PullRow>> FindPull(const MetaView& view, const RepositoryName& repository,
                                            const Reference& reference) {
  return ReadRow<v1::PullRow>(view, keys::Pull(repository, ToString(reference)));
}

Result<std::optional<v1::PullRow>> LastPullOf(const MetaView& view,
                                              const RepositoryName& repository,
                                              const Digest& digest) {
  TRY(auto newest, FindPull(view, repository, digest));
  TRY_VOID(AddPullsOfRelatives(view, repository, digest, ParentsOf, newest));
  TRY_VOID(AddPullsOfRelatives(view, repository, digest, ChildrenOf, newest));
  return newest;
}

Result<std::optional<v1::PullRow>> LastPullOf(const MetaView& view,
                                              const RepositoryName& repository, const Tag& tag,
                                              const Digest& digest) {
  TRY(auto newest, FindPull(view, repository, tag));
  TRY(const auto of_manifest, LastPullOf(view, repository, digest));
  KeepNewer(newest, of_manifest);
  return newest;
}

}  // namespace outport::store
