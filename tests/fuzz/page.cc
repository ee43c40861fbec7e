#include <boost/json/parse.hpp>

#include "registry/http/api/conditions.h"
#include "registry/http/api/paging.h"
#include "registry/http/connection/response.h"
#include "tests/fuzz/fuzz.h"

using namespace outport;
using namespace outport::http;
using fuzzing::Require;

// Parses the page of a query, its link to the next page, and the conditions of a request. An error
// that quotes the client must be JSON for any input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzzing::AsText(data, size);
  const auto route = ParseRoute("/v2/a/tags/list?" + std::string(text));
  if (route.has_value()) {
    const auto page = ParsePage(*route);
    if (page.has_value()) {
      Require(page->limit <= kMaxPage, "a page is bounded");
      const std::string link = FormatNextLink("/v2/a/tags/list", page->last, page->limit,
                                              route->artifact_type.value_or(""));
      const auto next = ParseRoute(std::string_view(link).substr(1, link.find('>') - 1));
      Require(next.has_value() && next->last == page->last, "a link names where to go on");
      Require(next->artifact_type.value_or("") == route->artifact_type.value_or(""),
              "a link keeps the filter");
      Require(ParsePage(*next)->limit == page->limit, "a link keeps the size");
    }
  }
  static const Digest kDigest = Digest::Of(DigestAlgorithm::kSha256, {});
  (void)NoneMatchNames(text, kDigest);
  (void)RangeApplies(text, kDigest);
  RequestHead head;
  head.min_sequence = text;
  (void)ParseMinSequence(head).has_value();
  const Error error{ErrorCode::kNameInvalid, std::string(text), {std::string(text)}};
  boost::system::error_code failure;
  const auto json = boost::json::parse(FormatError(error, "id"), failure);
  Require(!failure && json.is_object(), "an error is JSON");
  return 0;
}
