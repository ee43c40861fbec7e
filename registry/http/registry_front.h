#pragma once

#include <chrono>
#include <optional>

#include "registry/base/task_group.h"
#include "registry/http/operations_server.h"
#include "registry/http/plain_server.h"
#include "registry/http/registry_config.h"
#include "registry/http/registry_server.h"
#include "registry/security/tls/served_certificate.h"

namespace outport {

// The client side of a daemon: the HTTPS registry server, whose certificate is reloaded when its
// files change, and the plain HTTP server, if one is configured.
class RegistryFront {
 public:
  // The references outlive the front. `pool` reads files. The front sets `server.tls` itself.
  struct Parts {
    RegistryServer::Parts server;
    BlockingPool& pool;
  };
  // `certificate` was loaded from `files`.
  RegistryFront(const RegistryConfig& config, CertificateFiles files, LoadedCertificate certificate,
                Parts parts);

  Result<void> Listen();  // the error names the configuration key
  std::string address() const { return server_.address(); }
  std::string plain_address() const { return plain_.has_value() ? plain_->address() : ""; }
  const ServedCertificate& certificate() const { return certificate_; }
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);  // as RegistryServer::Stop()
  // Adds the server certificate's reasons and warnings to `readiness`.
  void AddTo(Readiness& readiness) const;

 private:
  const uint16_t redirect_port_;  // 0: the port of the HTTPS server
  ServedCertificate certificate_;
  RegistryServer server_;
  std::optional<PlainServer> plain_;
  TaskGroup following_;  // last: its task uses the other members
};

}  // namespace outport
