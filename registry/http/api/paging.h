#pragma once

#include <string>
#include <string_view>

#include "registry/http/api/route.h"
#include "registry/service/registry.h"

namespace outport::http {

// Returns the page that the query parameters `n` and `last` request. The page has at most kMaxPage
// items, even if `n` is missing or larger. Its `limit` is 0 only for "n=0". kPaginationInvalid if
// `n` is not a number.
Result<PageRequest> ParsePage(const Route& route);

// Returns the value of the Link field that leads to the page after `last` (RFC 8288):
// `</path?last=…&n=…>; rel="next"`. Adds the parameter artifactType unless `artifact_type` is
// empty.
std::string FormatNextLink(std::string_view path, std::string_view last, size_t limit,
                           std::string_view artifact_type = {});

}  // namespace outport::http
