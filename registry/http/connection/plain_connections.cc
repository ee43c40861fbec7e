#include "registry/http/connection/plain_connections.h"

#include <utility>

namespace outport::http {
namespace {

net::awaitable<Result<std::optional<RequestHead>>> NextHead(Connection& connection,
                                                            ConnectionSlot& slot) {
  const ConnectionSlot::Idle idle(slot, connection.stream());
  co_return co_await connection.ReadHead();
}

// Answers with `error` when the received bytes are not a valid request.
net::awaitable<void> Refuse(Connection& connection, const Error& error) {
  const RequestHead nothing;
  RequestBody body(connection, nothing);
  Response response(connection.stream(), nothing, body);
  const Result<void> sent = co_await response.SendError(error, "");
  if (sent.has_value()) co_await connection.stream().Close(/*linger=*/true);
}

}  // namespace

PlainConnections::PlainConnections(net::any_io_executor executor, Listener::Options options,
                                   const HttpLimits& limits, Metrics& metrics, const Log& log,
                                   Answer answer)
    : limits_(limits),
      answer_(std::move(answer)),
      listener_(std::move(executor), std::move(options), metrics, log,
                [this](net::ip::tcp::socket socket, ConnectionSlot& slot) {
                  return Serve(std::move(socket), slot);
                }) {}

net::awaitable<void> PlainConnections::Serve(net::ip::tcp::socket socket, ConnectionSlot& slot) {
  Stream stream(std::move(socket), slot.strand(), nullptr, limits_.progress);
  Connection connection(stream, limits_);
  for (;;) {
    const auto head = co_await NextHead(connection, slot);
    if (!head.has_value()) {
      co_await Refuse(connection, head.error());
      co_return;
    }
    if (!head->has_value()) break;
    RequestBody body(connection, **head);
    Response response(stream, **head, body);
    if (slot.stopping()) response.CloseAfter();
    const Result<void> sent = co_await answer_(**head, response);
    if (!sent.has_value() || response.closes()) break;
    const Result<void> drained = co_await body.Drain();
    if (!drained.has_value()) break;
  }
  co_await stream.Close(/*linger=*/false);
}

}  // namespace outport::http
