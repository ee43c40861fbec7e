#include "store/content/touch.h"

#include <utility>

namespace outport::store {
namespace {

// Returns the result of `touch`. If the store rejects pushes, returns the result of `stat` instead,
// without a lease.
template <class Touched>
Result<Touched> TouchOrStat(const Content& content, auto touch, auto stat) {
  if (content.blobs.RequireFreeSpace(0).has_value()) {
    Result<Touched> touched = touch();
    if (touched.has_value() || !content.blobs.parts().meta.WhyReadOnly().has_value()) {
      return touched;
    }
  }
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
