#pragma once

#include <string>
#include <string_view>

#include "registry/http/api/route.h"
#include "registry/service/registry.h"

namespace outport::http {

// Returns the page that the parameters n and last ask for: at most kMaxPage items, also without n.
// `limit` is 0 only for "n=0". kPaginationInvalid if n is not a number.
Result<PageRequest> ParsePage(const Route& route);

// Returns the Link field of the page after `last` (RFC 8288): `</path?last=…&n=…>; rel="next"`.
// Adds the filter of referrers unless `artifact_type` is empty.
std::string FormatNextLink(std::string_view path, std::string_view last, size_t limit,
                           std::string_view artifact_type = {});

}  // namespace outport::http
