#pragma once

#include <memory>

#include "registry/http/api/byte_budget.h"
#include "registry/http/api/route.h"
#include "registry/http/connection/request_body.h"
#include "registry/http/connection/response.h"
#include "registry/security/grants/rights.h"
#include "registry/service/registry.h"

namespace outport::http {

// An admitted request. It lives until its response is sent.
struct Request {
  const RequestHead& head;
  const Route& route;
  const Caller& caller;
  const Rights& rights;
  RequestBody& body;
  ByteBudget& manifest_bytes;  // manifests reserve their bytes here until the response is sent

  const RepositoryName& repository() const { return *route.repository; }
};

// A handler answers the requests of one route. It sends `response`, or returns an error, which the
// session sends. If the handler returns an error after the response has begun, the session resets
// the connection. Each noun has a file of handlers.
using Handler = net::awaitable<Result<void>> (*)(Registry& registry, const Request& request,
                                                 Response& response);

net::awaitable<Result<void>> GetPing(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetCatalog(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetTags(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetManifest(Registry&, const Request&, Response&);
net::awaitable<Result<void>> PutManifest(Registry&, const Request&, Response&);
net::awaitable<Result<void>> DeleteManifest(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetReferrers(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetBlob(Registry&, const Request&, Response&);
net::awaitable<Result<void>> DeleteBlob(Registry&, const Request&, Response&);
net::awaitable<Result<void>> StartUpload(Registry&, const Request&, Response&);
net::awaitable<Result<void>> GetUpload(Registry&, const Request&, Response&);
net::awaitable<Result<void>> AppendUpload(Registry&, const Request&, Response&);
net::awaitable<Result<void>> FinishUpload(Registry&, const Request&, Response&);
net::awaitable<Result<void>> CancelUpload(Registry&, const Request&, Response&);

// Returns the handler of `method` on `noun`. REQUIRES: Allows(noun, method).
Handler FindHandler(Noun noun, Method method);

}  // namespace outport::http
