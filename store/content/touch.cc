#include "store/content/touch.h"

#include <utility>

namespace outport::store {
namespace {

// Returns the result of `touch`. If the metadata is read-only, returns the result of `stat`
// instead, without a lease. The collector cannot remove anything then.
template <class Touched>
Result<Touched> TouchOrStat(const Content& content, auto touch, auto stat) {
  Result<Touched> touched = touch();
  const bool read_only = content.blobs.parts().meta.WhyReadOnly().has_value();
  if (touched.has_value() || !read_only) return touched;
  TRY(auto info, stat());
  return Touched{.info = std::move(info), .lease_left_ms = 0};
}

}  // namespace

Result<Blobs::Touched> TouchBlob(Content& content, const RepositoryName& repository,
                                 const Digest& digest) {
  auto touch = [&] { return content.blobs.Touch(repository, digest); };
  auto stat = [&] { return content.blobs.Stat(repository, digest); };
  return TouchOrStat<Blobs::Touched>(content, touch, stat);
}

Result<Manifests::Touched> TouchManifest(Content& content, const RepositoryName& repository,
                                         const Reference& reference) {
  auto touch = [&] { return content.manifests.Touch(repository, reference); };
  auto stat = [&] { return content.manifests.Stat(repository, reference); };
  return TouchOrStat<Manifests::Touched>(content, touch, stat);
}

}  // namespace outport::store
