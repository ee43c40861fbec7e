#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"
#include "registry/http/api/paging.h"

namespace outport::http {

// GET, HEAD /v2/<name>/tags/list?n=&last=: lists the tags of the repository.
net::awaitable<Result<void>> GetTags(Registry& registry, const Request& request,
                                     Response& response) {
  CO_TRY(const PageRequest wanted, ParsePage(request.route));
  PageRequest asked = wanted;
  asked.limit = std::max<size_t>(wanted.limit, 1);  // even n=0 must fail for an unknown repository
  CO_TRY(Page page, co_await registry.ListTags(request.caller, request.repository(), asked));
  if (wanted.limit == 0) page.items.clear();
  if (page.more && !page.items.empty()) {
    const std::string path = "/v2/" + request.repository().ToString() + "/tags/list";
    response.Set("Link", FormatNextLink(path, page.items.back(), wanted.limit));
  }
  SetStaleness(response, page.stale);
  boost::json::object answer;
  answer["name"] = request.repository().ToString();
  answer["tags"] = boost::json::array(page.items.begin(), page.items.end());
  const std::string text = boost::json::serialize(answer);
  co_return co_await response.SendText(200, "application/json", text);
}

}  // namespace outport::http
