#include "registry/http/operations_server.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "registry/http/connection/plain_connections.h"

namespace outport {
namespace {

using std::chrono::steady_clock;

constexpr size_t kConnections = 64;  // enough for a few scrapers and probes

HttpLimits Limits() {
  return HttpLimits{.header_bytes = 8 << 10, .idle = std::chrono::seconds(60)};
}

}  // namespace

class OperationsServer::Server {
 public:
  Server(net::any_io_executor executor, std::string listen, Metrics& metrics,
         std::function<Readiness()> readiness, const Log& log)
      : metrics_(metrics),
        readiness_(std::move(readiness)),
        connections_(std::move(executor),
                     {.server = "operations",
                      .listen = std::move(listen),
                      .connections = kConnections,
                      .connections_of_one_address = kConnections},
                     Limits(), metrics, log,
                     [this](const http::RequestHead& head, http::Response& response) {
                       return Answer(head, response);
                     }) {}

  http::Listener& listener() { return connections_.listener(); }

 private:
  net::awaitable<Result<void>> Answer(const http::RequestHead& head, http::Response& response) {
    const std::string path = head.target.substr(0, head.target.find('?'));
    if (path != "/metrics" && path != "/healthz" && path != "/readyz") {
      const Error error{ErrorCode::kNotFound,
                        "this port has no such path; it serves /metrics, /healthz and /readyz"};
      co_return co_await response.SendError(error, "");
    }
    if (head.method != http::Method::kGet && head.method != http::Method::kHead) {
      response.Set("Allow", "GET, HEAD");
      const Error error{ErrorCode::kUnsupported, "this path allows only GET and HEAD"};
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
    answer["warnings"] = boost::json::array(readiness.warnings.begin(), readiness.warnings.end());
    const std::string text = boost::json::serialize(answer) + "\n";
    co_return co_await response.SendText(readiness.reasons.empty() ? 200 : 503, "application/json",
                                         text);
  }

  Metrics& metrics_;
  const std::function<Readiness()> readiness_;
  http::PlainConnections connections_;  // last: they use the members above
};

OperationsServer::OperationsServer(net::any_io_executor executor, std::string listen,
                                   Metrics& metrics, std::function<Readiness()> readiness, Log log)
    : server_(std::make_unique<Server>(std::move(executor), std::move(listen), metrics,
                                       std::move(readiness), log)) {}
OperationsServer::~OperationsServer() = default;

Result<void> OperationsServer::Listen() { return server_->listener().Listen(); }
uint16_t OperationsServer::port() const { return server_->listener().port(); }
std::string OperationsServer::address() const { return server_->listener().address(); }
void OperationsServer::Start() { server_->listener().Start(); }
void OperationsServer::Stop(steady_clock::time_point deadline) {
  server_->listener().Stop(deadline);
}

}  // namespace outport
