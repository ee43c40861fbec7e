#include "registry/http/api/handlers.h"

namespace outport::http {

// GET /v2/. A 200 tells the client that its credentials are valid ("docker login").
net::awaitable<Result<void>> GetPing(Registry&, const Request&, Response& response) {
  co_return co_await response.SendText(200, "application/json", "{}");
}

}  // namespace outport::http
