#pragma once

#include <functional>
#include <string>

#include "registry/http/connection/listener.h"
#include "registry/http/connection/response.h"

namespace outport::http {

// An HTTP server without TLS, for content that needs no secrecy. Serves the requests of each
// connection one after another. Safe for all threads.
class PlainConnections {
 public:
  // Answers one request. The arguments outlive the coroutine. An error ends the connection.
  using Answer = std::function<net::awaitable<Result<void>>(const RequestHead&, Response&)>;

  PlainConnections(net::any_io_executor executor, Listener::Options options,
                   const HttpLimits& limits, Metrics& metrics, const Log& log, Answer answer);

  Listener& listener() { return listener_; }

 private:
  net::awaitable<void> Serve(net::ip::tcp::socket socket, ConnectionSlot& slot);

  const HttpLimits limits_;
  const Answer answer_;
  Listener listener_;  // declared last, because its connections use the other members
};

}  // namespace outport::http
