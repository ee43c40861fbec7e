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

// Whether a daemon can serve, and if not, why not: one line a reason.
struct Readiness {
  std::vector<std::string> reasons;
  std::vector<std::string> warnings;  // it can, but somebody should look at this
};

// Plain HTTP for operators, on loopback unless configured otherwise: /metrics, /healthz (200 while
// the process lives) and /readyz (200, or 503 with the reasons; both as JSON, with warnings).
class OperationsServer {
 public:
  OperationsServer(net::any_io_executor executor, std::string listen, Metrics& metrics,
                   std::function<Readiness()> readiness, Log log);
  ~OperationsServer();

  Result<void> Listen();  // as RegistryServer's
  uint16_t port() const;
  std::string address() const;  // what it listens on, with the port that was picked
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
