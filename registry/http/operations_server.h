#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"

namespace outport {

namespace net = boost::asio;

// Whether a daemon is ready to serve: it is if `reasons` is empty.
struct Readiness {
  std::vector<std::string> reasons;
  std::vector<std::string> warnings;  // for operators; do not affect readiness
};

// Plain HTTP for operators, by default on loopback. It serves /metrics, /healthz (200 while the
// process runs) and /readyz (200, or 503 if not ready; JSON with reasons and warnings).
class OperationsServer {
 public:
  OperationsServer(net::any_io_executor executor, std::string listen, Metrics& metrics,
                   std::function<Readiness()> readiness, Log log);
  ~OperationsServer();

  Result<void> Listen();  // as RegistryServer::Listen()
  uint16_t port() const;
  std::string address() const;  // with the port that was picked
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
