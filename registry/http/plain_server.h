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

// The plain HTTP server beside the registry's HTTPS server. It answers ACME challenges (RFC 8555
// §8.3): it serves /.well-known/acme-challenge/TOKEN from the file with this path under the
// webroot, unless a part of this path is a symbolic link. ACME clients such as certbot write the
// file. The server redirects all other requests to https:// on the same host. The redirect's status
// is 308, so that clients repeat the request with the same method. The server serves no content of
// the registry.
class PlainServer {
 public:
  struct Options {
    std::string listen;             // in the format of RegistryServer::Options::listen
    std::filesystem::path webroot;  // if empty, the server answers no challenges
  };
  // `pool` reads the challenge files. The references outlive the server.
  PlainServer(net::any_io_executor executor, Options options, BlockingPool& pool, Metrics& metrics,
              const Log& log);
  ~PlainServer();

  Result<void> Listen();  // the same errors as RegistryServer::Listen()
  uint16_t port() const;
  std::string address() const;  // address:port, with the real port if port 0 was configured
  // Starts to answer requests. Redirects lead to `https_port`. Logs a warning if the webroot does
  // not exist.
  void Start(uint16_t https_port);
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
