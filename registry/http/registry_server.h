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

// Serves the registry API over HTTPS (HTTP/1.1). The store and the nodes use this class with
// different implementations of Registry. Access needs a client certificate, a user's password and a
// grant. The server re-authorises open connections when the directory changes. It also
// re-authorises them once a second, because users and certificates expire. It cuts a connection
// whose access was revoked.
class RegistryServer {
 public:
  struct Options {
    std::string listen = "0.0.0.0:5000";  // or [v6]:port; the system replaces port 0
    HttpLimits limits = {};
  };
  // The references outlive the server.
  struct Parts {
    net::any_io_executor executor;  // any number of threads; a strand for each connection
    std::shared_ptr<ServerTlsContext> tls;
    Registry& registry;
    AccessDirectory& directory;
    Authenticator& authenticator;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    // Returns an error while this program cannot know the latest revocations, for example because a
    // node has lost the store for too long. The server answers new requests with this error, and
    // cuts requests in progress within a second. Threads of the executor call this function
    // concurrently.
    std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
  };
  RegistryServer(Options options, Parts parts);
  ~RegistryServer();

  // Binds the port. If the bind fails, returns kFailedPrecondition with the address and the reason.
  Result<void> Listen();
  uint16_t port() const;
  std::string address() const;  // address:port, with the real port if port 0 was configured
  void Start();
  // Uses `tls` for new connections. Cuts each open connection whose client certificate `tls` no
  // longer trusts. All other connections stay open. Any thread may call this method.
  void UseTls(std::shared_ptr<ServerTlsContext> tls);
  // Stops accepting connections and drains the requests in progress. Closes the remaining
  // connections at the deadline. Returns when no connection is left. Blocks. REQUIRES: the executor
  // still runs, and the caller is not one of its threads.
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
