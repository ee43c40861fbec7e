#pragma once

#include <string>
#include <string_view>

#include "registry/http/route.h"
#include "registry/service/registry.h"

namespace outport::http {

// The page that a request's n and last ask for: at most kMaxPage items, also without n. `limit` is
// 0 only for "n=0". kPaginationInvalid where n is no number.
Result<PageRequest> ParsePage(const Route& route);

// The Link to the page behind `page` (RFC 8288): `</path?last=…&n=…>; rel="next"`.
std::string FormatNextLink(std::string_view path, const Page& page, size_t limit);

}  // namespace outport::http
