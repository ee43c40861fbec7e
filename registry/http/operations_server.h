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

// Whether a daemon is ready to serve requests. It is ready if `reasons` is empty.
struct Readiness {
  std::vector<std::string> reasons;
  std::vector<std::string> warnings;  // shown to operators; they do not affect readiness
};

// The plain HTTP server for operators. By default it listens on loopback. It serves three paths:
// /metrics, /healthz and /readyz. /healthz answers 200 while the process runs. /readyz answers with
// the reasons and warnings as JSON. Its status is 200 if the daemon is ready, and 503 otherwise.
class OperationsServer {
 public:
  OperationsServer(net::any_io_executor executor, std::string listen, Metrics& metrics,
                   std::function<Readiness()> readiness, Log log);
  ~OperationsServer();

  Result<void> Listen();  // the same errors as RegistryServer::Listen()
  uint16_t port() const;
  std::string address() const;  // address:port, with the real port if port 0 was configured
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
