#include "registry/oci/manifest.h"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <cstdint>

#include "registry/oci/json_scan.h"

namespace outport {
namespace {

namespace json = boost::json;

// The store accepts manifests within kAccepted. Releases before 0.3 may have stored larger ones.
struct Limits {
  JsonLimits json;
  size_t descriptors;  // in one list
};
constexpr Limits kAccepted{.json = {.depth = 32, .values = 200'000},
                           .descriptors = kMaxDescriptors};
constexpr Limits kStored{.json = {.depth = 64, .values = SIZE_MAX}, .descriptors = SIZE_MAX};

constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1+";

Error Invalid(std::string message) {
  return Error{ErrorCode::kManifestInvalid, "the manifest " + std::move(message)};
}

Error RefuseSchema1() {
  return Invalid(
      "has Docker's schema 1, which is not supported; push it with a client that writes schema 2 "
      "or OCI");
}

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 200)) + "\""; }

// Returns the member `key`, or nullptr if the member is absent or null.
const json::value* Find(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// Returns the string in the member `key`, or an empty string if the member is absent.
Result<std::string> StringOf(const json::object& object, std::string_view key) {
  const json::value* value = Find(object, key);
  if (value == nullptr) return std::string();
  const json::string* text = value->if_string();
  if (text == nullptr) return Invalid("has a " + std::string(key) + " that is not a string");
  return std::string(text->data(), text->size());
}

// `where` names the descriptor in errors: "layers[3]".
Result<Descriptor> ParseDescriptor(const json::value& value, const std::string& where) {
  const json::object* object = value.if_object();
  if (object == nullptr) return Invalid("has an invalid " + where + ": it is not a JSON object");
  TRY(std::string type, StringOf(*object, "mediaType"));
  if (type.empty()) return Invalid("has an invalid " + where + ": it has no mediaType");
  TRY(const std::string digest_text, StringOf(*object, "digest"));
  Result<Digest> digest = Digest::Parse(digest_text);
  if (!digest.has_value())
    return Invalid("has an invalid " + where + ": " + digest.error().message);
  const json::value* size = Find(*object, "size");
  const int64_t* size_bytes = size == nullptr ? nullptr : size->if_int64();
  if (size_bytes == nullptr || *size_bytes < 0) {
    return Invalid("has an invalid " + where + ": it has no size in bytes");
  }
  return Descriptor{std::move(type), *std::move(digest), static_cast<uint64_t>(*size_bytes)};
}

// Returns the list of descriptors in the member `key`, or an empty list if the member is absent. An
// error if there are more than `limit`.
Result<std::vector<Descriptor>> ParseDescriptors(const json::object& object, const std::string& key,
                                                 size_t limit) {
  std::vector<Descriptor> descriptors;
  const json::value* value = Find(object, key);
  if (value == nullptr) return descriptors;
  const json::array* list = value->if_array();
  if (list == nullptr) return Invalid("has " + key + " that are not a list");
  if (list->size() > limit) {
    return Invalid("has " + std::to_string(list->size()) + " " + key + "; reduce them to at most " +
                   std::to_string(limit));
  }
  descriptors.reserve(list->size());
  for (size_t i = 0; i < list->size(); ++i) {
    TRY(Descriptor descriptor, ParseDescriptor((*list)[i], key + "[" + std::to_string(i) + "]"));
    descriptors.push_back(std::move(descriptor));
  }
  return descriptors;
}

Result<std::map<std::string, std::string>> ParseAnnotations(const json::object& object) {
  std::map<std::string, std::string> annotations;
  const json::value* value = Find(object, "annotations");
  if (value == nullptr) return annotations;
  const json::object* members = value->if_object();
  if (members == nullptr) return Invalid("has annotations that are not an object");
  for (const auto& member : *members) {
    const json::string* text = member.value().if_string();
    if (text == nullptr) {
      return Invalid("has the annotation " + Quoted(member.key()) +
                     ", whose value is not a string");
    }
    annotations.emplace(member.key(), std::string(text->data(), text->size()));
  }
  return annotations;
}

// Bounds the text before the parser builds a tree, which has many times the size of a dense text.
Result<json::object> ParseObject(std::string_view body, const JsonLimits& limits) {
  if (auto why = WhyTooComplex(body, limits)) return Invalid(*std::move(why));
  json::parse_options options;
  options.max_depth = limits.depth;
  boost::system::error_code error;
  json::value document = json::parse(body, error, {}, options);
  if (error && HasLoneSurrogate(body)) {
    return Invalid(
        "is not JSON in UTF-8: a string has half of a surrogate pair (\\uD800 to \\uDFFF)");
  }
  if (error) return Invalid("is not JSON: " + error.message());
  if (!document.is_object()) return Invalid("is not a JSON object");
  return std::move(document.get_object());
}

// Returns the media type of the manifest: the request's Content-Type, or else the body's mediaType.
// If both are present, they must be equal. Otherwise a client that reads only the body would see
// another kind of manifest than the registry.
Result<std::string> MediaTypeOf(const json::object& object, std::string_view content_type) {
  TRY(std::string own, StringOf(object, "mediaType"));
  if (own.starts_with(kSchema1) || content_type.starts_with(kSchema1)) return RefuseSchema1();
  if (content_type.empty() && own.empty()) {
    return Invalid("has no mediaType, and the request has no Content-Type; send one of them");
  }
  if (content_type.empty()) return own;
  if (!own.empty() && own != content_type) {
    return Invalid("has the mediaType " + Quoted(own) + ", but was pushed as " +
                   Quoted(content_type));
  }
  return std::string(content_type);
}

Result<void> CheckSchemaVersion(const json::object& object) {
  const json::value* version = Find(object, "schemaVersion");
  const int64_t* number = version == nullptr ? nullptr : version->if_int64();
  if (number != nullptr && *number == 1) return RefuseSchema1();
  if (number == nullptr || *number != 2) return Invalid("does not have the schemaVersion 2");
  return {};
}

bool IsManifestType(std::string_view type) {
  return type == media_type::kOciManifest || type == media_type::kOciIndex ||
         type == media_type::kDockerManifest || type == media_type::kDockerList;
}

// Rejects an index with the fields of an image manifest, and an image manifest with those of an
// index. Clients could read such a body as either (CVE-2021-41190).
Result<void> CheckUnambiguous(const json::object& object, bool is_index) {
  for (const std::string_view key :
       is_index ? std::initializer_list<std::string_view>{"config", "layers"}
                : std::initializer_list<std::string_view>{"manifests"}) {
    if (Find(object, key) != nullptr) {
      return Invalid(std::string(is_index ? "is an index" : "is not an index") + ", but has " +
                     std::string(key));
    }
  }
  return {};
}

Result<void> ParseImage(const json::object& object, size_t limit, Manifest& manifest) {
  const json::value* config = Find(object, "config");
  if (config == nullptr) return Invalid("has no config");
  TRY(Descriptor descriptor, ParseDescriptor(*config, "config"));
  if (manifest.artifact_type.empty()) manifest.artifact_type = descriptor.media_type;
  manifest.blobs.push_back(std::move(descriptor));
  TRY(std::vector<Descriptor> layers, ParseDescriptors(object, "layers", limit));
  for (Descriptor& layer : layers) {
    if (!IsNonDistributable(layer.media_type)) manifest.blobs.push_back(std::move(layer));
  }
  return {};
}

// An index may list blobs, too: BuildKit writes its cache so.
Result<void> ParseIndex(const json::object& object, size_t limit, Manifest& manifest) {
  TRY(std::vector<Descriptor> children, ParseDescriptors(object, "manifests", limit));
  for (Descriptor& child : children) {
    const bool is_blob = !child.media_type.empty() && !IsManifestType(child.media_type);
    (is_blob ? manifest.blobs : manifest.manifests).push_back(std::move(child));
  }
  return {};
}

Result<Manifest> ParseManifest(std::string_view body, std::string_view content_type,
                               const Limits& limits) {
  if (body.size() > kMaxManifestBytes) {
    return Error{ErrorCode::kManifestTooLarge,
                 "the manifest is larger than " + std::to_string(kMaxManifestBytes) + " bytes"};
  }
  TRY(const json::object object, ParseObject(body, limits.json));
  Manifest manifest;
  TRY(manifest.media_type, MediaTypeOf(object, MediaTypeIn(content_type)));
  TRY_VOID(CheckSchemaVersion(object));
  const std::string_view type = manifest.media_type;
  manifest.is_index = type == media_type::kOciIndex || type == media_type::kDockerList;
  if (!IsManifestType(type)) {
    return Invalid("is of the type " + Quoted(type) +
                   ", which is not supported; use an OCI manifest or index, or Docker's schema 2");
  }
  TRY_VOID(CheckUnambiguous(object, manifest.is_index));
  TRY(manifest.artifact_type, StringOf(object, "artifactType"));
  TRY(manifest.annotations, ParseAnnotations(object));
  if (const json::value* subject = Find(object, "subject")) {
    TRY(manifest.subject, ParseDescriptor(*subject, "subject"));
  }
  if (manifest.is_index) {
    TRY_VOID(ParseIndex(object, limits.descriptors, manifest));
  } else {
    TRY_VOID(ParseImage(object, limits.descriptors, manifest));
  }
  return manifest;
}

}  // namespace

bool IsNonDistributable(std::string_view media_type) {
  for (const std::string_view known : {
           "application/vnd.oci.image.layer.nondistributable.v1.tar",
           "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
           "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
           "application/vnd.docker.image.rootfs.foreign.diff.tar",
           "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
       }) {
    if (media_type == known) return true;
  }
  return false;
}

std::string_view MediaTypeIn(std::string_view content_type) {
  content_type = content_type.substr(0, content_type.find(';'));
  while (content_type.starts_with(' ') || content_type.starts_with('\t')) {
    content_type.remove_prefix(1);
  }
  while (content_type.ends_with(' ') || content_type.ends_with('\t')) {
    content_type.remove_suffix(1);
  }
  return content_type;
}

Result<Manifest> Manifest::Parse(std::string_view body, std::string_view content_type) {
  return ParseManifest(body, content_type, kAccepted);
}

Result<Manifest> Manifest::ParseStored(std::string_view body, std::string_view media_type) {
  return ParseManifest(body, media_type, kStored);
}

}  // namespace outport
