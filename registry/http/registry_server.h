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
#include "registry/security/access_directory.h"
#include "registry/security/authenticator.h"
#include "registry/security/tls.h"
#include "registry/service/registry.h"

namespace outport {

// Every wait and every size of a registry connection.
struct HttpLimits {
  // Beyond them strangers make place, then new ones are closed at once; both are counted.
  size_t connections = 2000;
  size_t connections_of_one_address = 500;
  size_t header_bytes = 32 << 10;      // beyond it 431
  size_t target_bytes = 16 << 10;      // path and query; beyond it 414
  uint64_t manifest_bytes = 64 << 20;  // of manifests in memory; beyond it 429
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{15'000};    // a request's header; the wait for the first one
  std::chrono::milliseconds idle{120'000};     // between requests
  std::chrono::milliseconds progress{30'000};  // a body that moves no byte for this long is cut
};

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
    // Asked before each request is let in, where an error is its answer, and each second while it
    // is under way, where an error cuts it. For a node that cannot know who was shut out meanwhile.
    // From the executor's threads.
    std::function<Result<void>()> standing = [] { return Result<void>(); };
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
  class Body;
  std::unique_ptr<Body> body_;
};

}  // namespace outport
