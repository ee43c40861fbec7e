#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/api/conditions.h"
#include "registry/http/api/handlers.h"
#include "registry/http/api/paging.h"

namespace outport::http {

// GET, HEAD /v2/_catalog?n=&last=: lists the repositories that the caller may pull from.
net::awaitable<Result<void>> GetCatalog(Registry& registry, const Request& request,
                                        Response& response) {
  CO_TRY(const PageRequest wanted, ParsePage(request.route));
  Page page;
  if (wanted.limit > 0) {
    const Visible visible = VisibleTo(request.rights);
    CO_TRY(page, co_await registry.ListRepositories(request.caller, wanted, visible));
  }
  if (page.more && !page.items.empty()) {
    response.Set("Link", FormatNextLink("/v2/_catalog", page.items.back(), wanted.limit));
  }
  SetStaleness(response, page.stale);
  boost::json::object answer;
  answer["repositories"] = boost::json::array(page.items.begin(), page.items.end());
  const std::string text = boost::json::serialize(answer);
  co_return co_await response.SendText(200, "application/json", text);
}

}  // namespace outport::http
