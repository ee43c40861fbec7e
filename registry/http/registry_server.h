#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/http/connection/http_limits.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/password/authenticator.h"
#include "registry/security/tls/tls.h"
#include "registry/service/registry.h"

namespace outport {

// The registry API over HTTPS (HTTP/1.1). The store and a node use the same code, over different
// Registry implementations. Access needs a client certificate, a user's password and a grant. Open
// connections are re-authorised when the directory changes and once a second, since users and
// certificates expire. A connection whose access was revoked is cut.
class RegistryServer {
 public:
  struct Options {
    std::string listen = "0.0.0.0:5000";  // address:port, [v6]:port; port 0 picks one
    HttpLimits limits = {};
  };
  // The references outlive the server.
  struct Parts {
    net::any_io_executor executor;  // run by one or more threads; each connection has a strand
    std::shared_ptr<ServerTlsContext> tls;
    Registry& registry;
    AccessDirectory& directory;
    Authenticator& authenticator;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    // Returns an error while this program cannot know the latest revocations, for example because a
    // node has lost the store for too long. New requests get the error, and requests in progress
    // are cut within a second. Safe for the executor's threads.
    std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
  };
  RegistryServer(Options options, Parts parts);
  ~RegistryServer();

  // Binds the port. kFailedPrecondition names the address and the reason.
  Result<void> Listen();
  uint16_t port() const;
  std::string address() const;  // with the port that was picked
  void Start();
  // Uses this certificate for new connections. Cuts open connections whose client certificate is no
  // longer trusted; the other ones stay. Any thread.
  void UseTls(std::shared_ptr<ServerTlsContext> tls);
  // Stops accepting and drains requests in progress. Closes the remaining connections at the
  // deadline, and returns when none is left. Blocks. REQUIRES: not called by a thread of the
  // executor, which still runs.
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
