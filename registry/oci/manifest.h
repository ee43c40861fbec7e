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

inline constexpr uint64_t kMaxManifestBytes = 4 << 20;  // larger ones get 413

// OCI image-spec, media-types.md, and Docker's "Image Manifest V 2, Schema 2".
namespace media_type {
inline constexpr std::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr std::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr std::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr std::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
}  // namespace media_type

// Layers of these media types need not be pushed: another server has their bytes.
bool IsNonDistributable(std::string_view media_type);

struct Descriptor {
  std::string media_type;
  Digest digest;
  uint64_t size_bytes = 0;
};

// The fields of a manifest that the registry uses. They never replace the pushed bytes.
struct Manifest {
  std::string media_type;
  bool is_index = false;
  std::vector<Descriptor>
      blobs;  // config and layers that must be present; without non-distributable layers
  std::vector<Descriptor> manifests;  // an index's children
  std::optional<Descriptor> subject;
  std::string artifact_type;  // artifactType, else config.mediaType of an image manifest
  std::map<std::string, std::string> annotations;

  // `content_type`: the request's Content-Type, whose parameters are ignored; if it is empty, the
  // body's mediaType counts.
  // kManifestInvalid gives the reason: not JSON, nested too deeply, schema 1, an unsupported type,
  // a body mediaType other than `content_type`, an invalid descriptor. kManifestTooLarge above
  // kMaxManifestBytes.
  static Result<Manifest> Parse(std::string_view body, std::string_view content_type);
};

}  // namespace outport
