#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/result.h"
#include "registry/http/connection/request_head.h"
#include "registry/oci/name.h"
#include "registry/security/pki/identity.h"

namespace outport::http {

// The kinds of resources that paths of the registry API name.
enum class Noun { kPing, kCatalog, kTags, kManifest, kBlob, kUploads, kUpload, kReferrers };
inline constexpr size_t kNouns = 8;
std::string_view ToString(Noun noun);  // for logs and metrics, for example "manifest"

// The parsed target of a request. A value type.
struct Route {
  Noun noun = Noun::kPing;
  std::optional<RepositoryName> repository;  // nullopt for kPing and kCatalog
  std::string reference;  // tag or digest (kManifest), digest (kBlob, kReferrers); not validated
  std::string upload_id;  // only for kUpload

  // The query parameters. The parser ignores parameters that are not listed here, such as "ns".
  std::optional<std::string> digest;
  std::optional<std::string> digest_algorithm;
  std::optional<std::string> mount;
  std::optional<std::string> from;
  std::vector<std::string> tags;  // all values of "tag"; each may be a list with commas
  std::optional<std::string> artifact_type;
  std::optional<std::string> n;
  std::optional<std::string> last;
};

// Parses a request target. Matches the path from its end, because a repository may be named
// "blobs/uploads". Returns kNotFound for a path outside the API, kNameInvalid for an invalid
// repository name, and kMalformedRequest for an invalid URL.
Result<Route> ParseRoute(std::string_view target);

// Returns the methods that a noun allows, in the format of the Allow field: "GET, HEAD".
std::string_view AllowedMethods(Noun noun);
bool Allows(Noun noun, Method method);

// Returns the action that the sender of this request needs a grant for. Every request on an upload
// session needs push, even a GET.
Action RequiredAction(Noun noun, Method method);

}  // namespace outport::http
