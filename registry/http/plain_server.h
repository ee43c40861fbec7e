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

// The plain HTTP port beside the registry's HTTPS port. It serves ACME challenges:
// /.well-known/acme-challenge/TOKEN (RFC 8555 §8.3) is the file of that path under a webroot, where
// ACME clients such as certbot write it. It redirects all other requests to https:// on the same
// host, with 308, so that clients keep their method. It serves no content of the registry.
class PlainServer {
 public:
  struct Options {
    std::string listen;             // as RegistryServer::Options::listen
    std::filesystem::path webroot;  // empty: serves no challenges
  };
  // `pool` reads the files. The references outlive the server.
  PlainServer(net::any_io_executor executor, Options options, BlockingPool& pool, Metrics& metrics,
              const Log& log);
  ~PlainServer();

  Result<void> Listen();  // as RegistryServer::Listen()
  uint16_t port() const;
  std::string address() const;  // with the port that was picked
  // `https_port`: the port that requests are redirected to.
  void Start(uint16_t https_port);
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
