#include "registry/http/api/route.h"

#include "registry/http/connection/url.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using namespace outport::http;
using fuzzing::Require;

namespace {

std::string PathOf(const Route& route) {
  const std::string base =
      route.repository.has_value() ? "/v2/" + route.repository->ToString() : "";
  switch (route.noun) {
    case Noun::kPing:
      return "/v2/";
    case Noun::kCatalog:
      return "/v2/_catalog";
    case Noun::kTags:
      return base + "/tags/list";
    case Noun::kManifest:
      return base + "/manifests/" + EncodeQueryValue(route.reference);
    case Noun::kBlob:
      return base + "/blobs/" + EncodeQueryValue(route.reference);
    case Noun::kReferrers:
      return base + "/referrers/" + EncodeQueryValue(route.reference);
    case Noun::kUploads:
      return base + "/blobs/uploads/";
    case Noun::kUpload:
      break;
  }
  return base + "/blobs/uploads/" + route.upload_id;
}

}  // namespace

// A path has one meaning: the path written from a parsed route parses to the same route.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto route = ParseRoute(fuzzing::AsText(data, size));
  if (!route.has_value()) {
    Require(TraitsOf(route.error().code).http_status < 500, "a bad path is the client's");
    return 0;
  }
  const auto again = ParseRoute(PathOf(*route));
  Require(again.has_value(), "a route's path has a route");
  Require(again->noun == route->noun, "of the same noun");
  Require(again->repository == route->repository, "in the same repository");
  Require(again->reference == route->reference, "to the same reference");
  Require(again->upload_id == route->upload_id, "and the same session");
  for (const Method method : {Method::kGet, Method::kHead, Method::kPost, Method::kPut,
                              Method::kPatch, Method::kDelete, Method::kOther}) {
    const bool listed = AllowedMethods(route->noun).contains(ToString(method));
    Require(Allows(route->noun, method) == listed, "Allow lists what is allowed");
  }
  return 0;
}
