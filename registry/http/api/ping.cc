#include "registry/http/api/handlers.h"

namespace outport::http {

// GET /v2/: tells the caller that its credentials are right ("docker login").
net::awaitable<Result<void>> GetPing(Registry&, const Request&, Response& response) {
  co_return co_await response.SendText(200, "application/json", "{}");
}

}  // namespace outport::http
