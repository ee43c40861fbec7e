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

// The servers of a daemon that clients connect to: the HTTPS registry server, and the plain HTTP
// server if one is configured. The front reloads the server certificate when its files change.
class RegistryFront {
 public:
  // The references outlive the front. `pool` runs the reads of the certificate files. The front
  // sets `server.tls` itself.
  struct Parts {
    RegistryServer::Parts server;
    BlockingPool& pool;
  };
  // REQUIRES: `certificate` was loaded from `files`.
  RegistryFront(const RegistryConfig& config, CertificateFiles files, LoadedCertificate certificate,
                Parts parts);

  Result<void> Listen();  // an error names the configuration key
  std::string address() const { return server_.address(); }
  std::string plain_address() const { return plain_.has_value() ? plain_->address() : ""; }
  const ServedCertificate& certificate() const { return certificate_; }
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);  // see RegistryServer::Stop()
  // Adds to `readiness` why the server certificate makes this program not ready (it has expired),
  // and the certificate's warnings.
  void AddTo(Readiness& readiness) const;

 private:
  const uint16_t redirect_port_;  // if 0, redirects lead to the port of the HTTPS server
  ServedCertificate certificate_;
  RegistryServer server_;
  std::optional<PlainServer> plain_;
  TaskGroup following_;  // declared last, because its task uses the other members
};

}  // namespace outport
