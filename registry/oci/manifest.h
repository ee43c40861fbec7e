#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

inline constexpr uint64_t kMaxManifestBytes = 4 << 20;  // a larger manifest gets 413
// The most layers of a manifest, and the most entries of an index. The store writes some rows for
// each of them, in one transaction.
inline constexpr size_t kMaxDescriptors = 10'000;

// Media types of OCI image-spec (media-types.md) and of Docker's "Image Manifest V 2, Schema 2".
namespace media_type {
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
}  // namespace media_type

// Whether layers of this media type need not be pushed, because their bytes come from another
// server.
bool IsNonDistributable(std::string_view media_type);

// Returns the media type in a Content-Type, without its parameters and surrounding spaces.
std::string_view MediaTypeIn(std::string_view content_type);

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
};

// The fields of a manifest that the registry uses. The registry stores and serves the pushed bytes,
// and never encodes a manifest from these fields.
struct Manifest {
  std::string media_type;
  bool is_index = false;
  // The config and the layers, except non-distributable ones; of an index, the children that are no
  // manifests. A push needs them all.
  std::vector<Descriptor> blobs;
  std::vector<Descriptor> manifests;  // the manifests that an index lists
  std::optional<Descriptor> subject;
  std::string artifact_type;  // artifactType, else config.mediaType of an image manifest
  std::map<std::string, std::string> annotations;

  // `content_type` is the request's Content-Type. Parse() ignores its parameters. If it is empty,
  // the body's mediaType decides.
  // kManifestInvalid gives the reason: for example, the body is not JSON, is nested deeper than 32
  // levels, has more than 200,000 JSON values, has schema 1, has an unsupported type, an invalid
  // descriptor or more descriptors than kMaxDescriptors, or its mediaType differs from
  // `content_type`. kManifestTooLarge if the body is larger than kMaxManifestBytes.
  static Result<Manifest> Parse(std::string_view body, std::string_view content_type);
  // The same for a manifest that the store has accepted. It may have any number of descriptors and
  // values, and 64 levels, because earlier releases accepted these.
  static Result<Manifest> ParseStored(std::string_view body, std::string_view media_type);
};

}  // namespace outport
