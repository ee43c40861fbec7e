#pragma once

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "registry/base/clock.h"
#include "registry/http/registry_server.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/pki.h"
#include "tests/http/client.h"
#include "tests/support/memory_registry.h"

namespace outport::http {

using testing_support::MemoryRegistry;

// The certificates of a fleet, created once in a test program.
struct TestFleet {
  TestFleet();
  static const TestFleet& Get();
  // Issues another certificate with the name desktop.
  ClientIdentity ShortLived(std::chrono::seconds lifetime) const;

  pki::Authority authority;
  ClientIdentity server;
  ClientIdentity desktop;  // a client
  ClientIdentity node;     // a node of the fleet
  ClientIdentity foreign;  // a client of another fleet
};

// The text of a request: "GET TARGET", Host, Authorization of alice, more fields.
struct TestRequest {
  std::string method = "GET";
  std::string target = "/v2/";
  std::string user = "alice:wonder";  // empty: no Authorization
  std::string fields = "";            // "Name: value\r\n"…
  std::string body = "";              // with a Content-Length, if not empty

  std::string Text() const;
};

// A registry server on loopback, with a MemoryRegistry. Users: alice may do everything, bob pulls
// in team/**, carol has no grants.
class TestServer {
 public:
  // `revocations_known`: as in RegistryServer::Parts.
  explicit TestServer(
      HttpLimits limits = {},
      std::function<Result<void>()> revocations_known = [] { return Result<void>(); });
  ~TestServer();

  TestClient Connect() const { return TestClient::Tls(port(), &TestFleet::Get().desktop); }
  // Sends one request on a new connection.
  TestResponse Call(const TestRequest& request) const;
  uint16_t port() const { return server_->port(); }
  MemoryRegistry& registry() { return registry_; }
  Metrics& metrics() { return metrics_; }
  AccessDirectory& directory() { return directory_; }
  void Stop(std::chrono::milliseconds patience) {
    server_->Stop(std::chrono::steady_clock::now() + patience);
  }

 private:
  net::io_context context_;
  net::executor_work_guard<net::io_context::executor_type> guard_;
  Metrics metrics_;
  SystemClock clock_;
  AccessDirectory directory_;
  BlockingPool pool_{"bcrypt", 1, 100};
  Authenticator authenticator_;
  MemoryRegistry registry_;
  std::unique_ptr<RegistryServer> server_;
  std::vector<std::thread> threads_;
};

// Waits until the condition holds, for at most 10 s.
bool Eventually(const std::function<bool()>& condition);

}  // namespace outport::http
