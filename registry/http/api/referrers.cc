#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"
#include "registry/http/api/paging.h"

namespace outport::http {
namespace {

boost::json::object ToDescriptor(const ReferrerInfo& referrer) {
  boost::json::object descriptor{{"mediaType", referrer.media_type},
                                 {"digest", referrer.digest.ToString()},
                                 {"size", referrer.size_bytes}};
  if (!referrer.artifact_type.empty()) descriptor["artifactType"] = referrer.artifact_type;
  if (!referrer.annotations.empty()) {
    boost::json::object annotations;
    for (const auto& [key, value] : referrer.annotations) annotations[key] = value;
    descriptor["annotations"] = std::move(annotations);
  }
  return descriptor;
}

}  // namespace

// GET, HEAD /v2/<name>/referrers/<digest>?artifactType=&n=&last=: answers with an image index. The
// index is empty if the digest has no referrers or the repository does not exist (OCI
// distribution-spec, "Listing Referrers").
net::awaitable<Result<void>> GetReferrers(Registry& registry, const Request& request,
                                          Response& response) {
  CO_TRY(const Digest subject, Digest::Parse(request.route.reference));
  CO_TRY(const PageRequest wanted, ParsePage(request.route));
  const std::string artifact_type = request.route.artifact_type.value_or("");
  ReferrersPage page;
  if (wanted.limit > 0) {
    CO_TRY(page, co_await registry.ListReferrers(request.caller, request.repository(), subject,
                                                 artifact_type, wanted));
  }
  if (!artifact_type.empty()) response.Set("OCI-Filters-Applied", "artifactType");
  if (!page.next.empty()) {
    const std::string path =
        "/v2/" + request.repository().ToString() + "/referrers/" + subject.ToString();
    response.Set("Link", FormatNextLink(path, page.next, wanted.limit, artifact_type));
  }
  SetStaleness(response, page.stale);
  boost::json::array manifests;
  manifests.reserve(page.items.size());
  for (const ReferrerInfo& referrer : page.items) manifests.push_back(ToDescriptor(referrer));
  boost::json::object index{{"schemaVersion", 2}, {"mediaType", media_type::kOciIndex}};
  index["manifests"] = std::move(manifests);
  const std::string text = boost::json::serialize(index);
  co_return co_await response.SendText(200, media_type::kOciIndex, text);
}

}  // namespace outport::http
