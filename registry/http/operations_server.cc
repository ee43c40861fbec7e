#include "registry/http/operations_server.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/listener.h"
#include "registry/http/response.h"

namespace outport {
namespace {

using std::chrono::steady_clock;

// For a few scrapers and probes.
HttpLimits OperationsLimits() {
  return HttpLimits{.connections = 64,
                    .connections_of_one_address = 64,
                    .header_bytes = 8 << 10,
                    .idle = std::chrono::seconds(60)};
}

}  // namespace

class OperationsServer::Body {
 public:
  Body(net::any_io_executor executor, std::string listen, Metrics& metrics,
       std::function<Readiness()> readiness, const Log& log)
      : metrics_(metrics),
        readiness_(std::move(readiness)),
        listener_(std::move(executor),
                  {.server = "operations",
                   .listen = std::move(listen),
                   .connections = limits_.connections,
                   .connections_of_one_address = limits_.connections_of_one_address},
                  metrics, log, [this](net::ip::tcp::socket socket, http::Lifeline& lifeline) {
                    return Serve(std::move(socket), lifeline);
                  }) {}

  http::Listener& listener() { return listener_; }

 private:
  net::awaitable<void> Serve(net::ip::tcp::socket socket, http::Lifeline& lifeline) {
    http::Stream stream(std::move(socket), lifeline.strand(), nullptr, limits_.progress);
    http::Connection connection(stream, limits_);
    for (;;) {
      const auto head = co_await NextHead(connection, lifeline);
      if (!head.has_value()) {
        co_await Refuse(connection, head.error());
        co_return;
      }
      if (!head->has_value()) break;
      http::RequestBody body(connection, **head);
      http::Response response(stream, **head, body);
      if (lifeline.stopping()) response.CloseAfter();
      const Result<void> sent = co_await Answer(**head, response);
      if (!sent.has_value() || response.closes()) break;
      const Result<void> drained = co_await body.Drain();
      if (!drained.has_value()) break;
    }
    co_await stream.Close(/*linger=*/false);
  }

  net::awaitable<Result<std::optional<http::RequestHead>>> NextHead(http::Connection& connection,
                                                                    http::Lifeline& lifeline) {
    const http::Lifeline::Idle idle(lifeline, connection.stream());
    co_return co_await connection.ReadHead();
  }

  // The answer to what was no request.
  net::awaitable<void> Refuse(http::Connection& connection, const Error& error) {
    const http::RequestHead nothing;
    http::RequestBody body(connection, nothing);
    http::Response response(connection.stream(), nothing, body);
    const Result<void> sent = co_await response.SendError(error, "");
    if (sent.has_value()) co_await connection.stream().Close(/*linger=*/true);
  }

  net::awaitable<Result<void>> Answer(const http::RequestHead& head, http::Response& response) {
    const std::string path = head.target.substr(0, head.target.find('?'));
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
      const Error error{ErrorCode::kNotFound,
                        "no such path; there are /metrics, /healthz and /readyz"};
      co_return co_await response.SendError(error, "");
    }
    if (head.method != http::Method::kGet && head.method != http::Method::kHead) {
      response.Set("Allow", "GET, HEAD");
      const Error error{ErrorCode::kUnsupported, "this path takes GET and HEAD"};
      co_return co_await response.SendError(error, "");
    }
    if (path == "/metrics") {
      const std::string text = metrics_.Render();
      co_return co_await response.SendText(200, "text/plain; version=0.0.4; charset=utf-8", text);
    }
    if (path == "/healthz") co_return co_await response.SendText(200, "text/plain", "ok\n");
    const Readiness readiness = readiness_();
    boost::json::object answer;
    answer["ready"] = readiness.reasons.empty();
    answer["reasons"] = boost::json::array(readiness.reasons.begin(), readiness.reasons.end());
    const std::string text = boost::json::serialize(answer) + "\n";
    co_return co_await response.SendText(readiness.reasons.empty() ? 200 : 503, "application/json",
                                         text);
  }

  const HttpLimits limits_ = OperationsLimits();
  Metrics& metrics_;
  const std::function<Readiness()> readiness_;
  http::Listener listener_;  // last: its connections use the others
};

OperationsServer::OperationsServer(net::any_io_executor executor, std::string listen,
                                   Metrics& metrics, std::function<Readiness()> readiness, Log log)
    : body_(std::make_unique<Body>(std::move(executor), std::move(listen), metrics,
                                   std::move(readiness), log)) {}
OperationsServer::~OperationsServer() = default;

Result<void> OperationsServer::Listen() { return body_->listener().Listen(); }
uint16_t OperationsServer::port() const { return body_->listener().port(); }
std::string OperationsServer::address() const { return body_->listener().address(); }
void OperationsServer::Start() { body_->listener().Start(); }
void OperationsServer::Stop(steady_clock::time_point deadline) { body_->listener().Stop(deadline); }

}  // namespace outport
