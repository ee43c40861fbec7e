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

// What a path of the registry API names.
enum class Noun { kPing, kCatalog, kTags, kManifest, kBlob, kUploads, kUpload, kReferrers };
inline constexpr size_t kNouns = 8;
std::string_view ToString(Noun noun);  // "manifest", for logs and metrics

// Where a request goes. A value.
struct Route {
  Noun noun = Noun::kPing;
  std::optional<RepositoryName> repository;  // none for kPing and kCatalog
  std::string reference;  // tag or digest (kManifest), digest (kBlob, kReferrers); unchecked
  std::string upload_id;  // kUpload

  // Query parameters; those that are not known here (ns, for one) are tolerated.
  std::optional<std::string> digest;
  std::optional<std::string> digest_algorithm;
  std::optional<std::string> mount;
  std::optional<std::string> from;
  std::vector<std::string> tags;  // of all "tag", each a tag or a list of them, taken apart
  std::optional<std::string> artifact_type;
  std::optional<std::string> n;
  std::optional<std::string> last;
};

// Finds the route of a request target. Matches from the right: a repository may be called
// "blobs/uploads". kNotFound for paths outside the API, kNameInvalid, kMalformedRequest.
Result<Route> ParseRoute(std::string_view target);

// What a noun answers to, as the Allow field says it: "GET, HEAD".
std::string_view AllowedMethods(Noun noun);
bool Allows(Noun noun, Method method);

// The grant that a request on a repository needs: to read, or to push. What concerns an upload
// session is a push, whatever the method.
Action RequiredAction(Noun noun, Method method);

}  // namespace outport::http
