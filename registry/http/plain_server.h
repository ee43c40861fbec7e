#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/result.h"

namespace outport {

namespace net = boost::asio;

// Plain HTTP in front of the registry's HTTPS: answers /.well-known/acme-challenge/TOKEN (RFC 8555
// §8.3) with the file of that name under a webroot, where certbot and its like put it, and sends
// all else to https:// on the same host (308, so that clients keep their method). Nothing of the
// registry is served here.
class PlainServer {
 public:
  struct Options {
    std::string listen;             // as RegistryServer's
    std::filesystem::path webroot;  // empty: no challenges
  };
  // `pool` reads the files; what it borrows outlives it.
  PlainServer(net::any_io_executor executor, Options options, BlockingPool& pool, Metrics& metrics,
              const Log& log);
  ~PlainServer();

  Result<void> Listen();  // as RegistryServer's
  uint16_t port() const;
  std::string address() const;  // what it listens on, with the port that was picked
  // `https_port`: where clients reach the HTTPS.
  void Start(uint16_t https_port);
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
