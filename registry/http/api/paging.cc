#include "registry/http/api/paging.h"

#include <algorithm>
#include <charconv>

#include "registry/http/connection/url.h"

namespace outport::http {

Result<PageRequest> ParsePage(const Route& route) {
  PageRequest page{.last = route.last.value_or(""), .limit = kMaxPage};
  if (!route.n.has_value()) return page;
  const std::string& text = *route.n;
  const bool digits =
      !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
  if (!digits) {
    return Error{ErrorCode::kPaginationInvalid, "the parameter n is not a number: '" + text + "'"};
  }
  size_t n = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), n);
  page.limit = failure == std::errc() ? std::min(n, kMaxPage) : kMaxPage;
  return page;
}

std::string FormatNextLink(std::string_view path, std::string_view last, size_t limit,
                           std::string_view artifact_type) {
  std::string link =
      "<" + std::string(path) + "?last=" + EncodeQueryValue(last) + "&n=" + std::to_string(limit);
  if (!artifact_type.empty()) link += "&artifactType=" + EncodeQueryValue(artifact_type);
  return link + ">; rel=\"next\"";
}

}  // namespace outport::http
