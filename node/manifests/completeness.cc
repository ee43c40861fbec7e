#include "node/manifests/completeness.h"

#include <algorithm>
#include <set>

namespace outport::node {
namespace {

constexpr int kMaxDepth = 32;             // an index may contain indexes, up to this depth
constexpr size_t kMaxManifests = 10'000;  // that one check reads
constexpr std::string_view kInToto = "application/vnd.in-toto+json";

// Returns whether a manifest in an index is an attestation. BuildKit lists them beside the
// platforms.
bool IsAttestation(const Manifest& manifest) {
  return std::ranges::any_of(manifest.blobs,
                             [](const Descriptor& blob) { return blob.media_type == kInToto; });
}

}  // namespace

struct Completeness::Search {
  const RepositoryName& repository;
  std::set<Digest> seen = {};  // children; none of them is a complete platform
};

Result<bool> Completeness::IsComplete(const RepositoryName& repository,
                                      const std::string& media_type,
                                      const std::string& content) const {
  TRY(const Manifest manifest, Manifest::ParseStored(content, media_type));
  Search search{.repository = repository};
  return IsComplete(search, manifest, 0);
}

Result<bool> Completeness::IsComplete(Search& search, const Manifest& manifest, int depth) const {
  for (const Descriptor& blob : manifest.blobs) {
    TRY(const bool cached, is_cached_(blob.digest));
    if (!cached) return false;
  }
  if (!manifest.is_index) return true;
  if (depth == kMaxDepth) return false;
  for (const Descriptor& child : manifest.manifests) {
    TRY(const bool whole, IsCompletePlatform(search, child, depth));
    if (whole) return true;
  }
  return manifest.manifests.empty();
}

Result<bool> Completeness::IsCompletePlatform(Search& search, const Descriptor& child,
                                              int depth) const {
  // Indexes may share children, so without this the work could grow exponentially.
  if (search.seen.size() == kMaxManifests || !search.seen.insert(child.digest).second) return false;
  TRY(const auto row, rows_.FindManifest(search.repository, child.digest));
  if (!row.has_value()) return false;
  TRY(const auto content, contents_.FindLocal(child.digest));
  if (!content.has_value()) return false;
  TRY(const Manifest manifest, Manifest::ParseStored(*content, row->media_type()));
  if (IsAttestation(manifest)) return false;
  return IsComplete(search, manifest, depth + 1);
}

}  // namespace outport::node
