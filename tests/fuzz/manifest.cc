#include "registry/oci/manifest.h"

#include <array>

#include "tests/fuzz/fuzz.h"

using namespace outport;
using fuzzing::Require;

// The first byte chooses the Content-Type; the rest is the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr std::array<std::string_view, 7> kTypes = {
      "",
      media_type::kOciManifest,
      media_type::kOciIndex,
      media_type::kDockerManifest,
      media_type::kDockerList,
      "application/vnd.oci.image.manifest.v1+json ; charset=utf-8",
      "text/plain",
  };
  if (size == 0) return 0;
  const std::string_view body = fuzzing::AsText(data + 1, size - 1);
  const auto manifest = Manifest::Parse(body, kTypes[data[0] % kTypes.size()]);
  if (!manifest.has_value()) {
    Require(TraitsOf(manifest.error().code).http_status < 500,
            "an invalid manifest is a client error");
    Require(!manifest.error().message.empty(), "an error has a message");
    return 0;
  }
  const bool index = manifest->media_type == media_type::kOciIndex ||
                     manifest->media_type == media_type::kDockerList;
  Require(manifest->is_index == index, "is_index follows the media type");
  Require(manifest->manifests.empty() || index, "only an index has children");
  Require(index || !manifest->blobs.empty(), "an image has at least its config");
  // Parsing again with the media type of the result gives the same.
  Require(Manifest::Parse(body, manifest->media_type).has_value(), "the manifest parses again");
  return 0;
}
