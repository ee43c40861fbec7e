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

// The registry API over HTTPS (HTTP/1.1): the same code at the store and at a node, over another
// Registry. Access: a client certificate, then a user's password, then a grant. When
// the directory changes, and each second, since time takes access away, too, open connections and
// requests under way are looked at again, and cut where they would not be let in now.
class RegistryServer {
 public:
  struct Options {
    std::string listen = "0.0.0.0:5000";  // address:port, [v6]:port; port 0 picks one
    HttpLimits limits = {};
  };
  // What it borrows outlives it.
  struct Parts {
    net::any_io_executor executor;  // many threads may run it: each connection has its own strand
    std::shared_ptr<ServerTlsContext> tls;
    Registry& registry;
    AccessDirectory& directory;
    Authenticator& authenticator;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    // An error while this program cannot know the latest revocations (a node that has not heard
    // from the store): new requests are answered with the error, requests in progress are cut
    // within a second. Called by the executor's threads.
    std::function<Result<void>()> revocations_known = [] { return Result<void>(); };
  };
  RegistryServer(Options options, Parts parts);
  ~RegistryServer();

  // Binds. kFailedPrecondition names the address and the reason (in use, no such address).
  Result<void> Listen();
  uint16_t port() const;
  std::string address() const;  // what it listens on, with the port that was picked
  void Start();
  // New connections are shown this certificate; those that are open go on, unless the client's is
  // not trusted any more. Any thread, any time.
  void UseTls(std::shared_ptr<ServerTlsContext> tls);
  // Stops accepting, lets requests in flight finish, cuts what is left at the deadline; returns
  // when no connection is left. Blocks: not from the executor's threads, which must still run.
  void Stop(std::chrono::steady_clock::time_point deadline);

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace outport
