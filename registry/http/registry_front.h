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

// What a daemon turns to its clients: the registry over HTTPS, with a certificate that follows its
// files, and the plain port beside it, if one is configured.
class RegistryFront {
 public:
  // What it borrows outlives it. `pool` reads files. `server.tls` is the front's to say.
  struct Parts {
    RegistryServer::Parts server;
    BlockingPool& pool;
  };
  // `certificate` stood in `files`.
  RegistryFront(const RegistryConfig& config, CertificateFiles files, LoadedCertificate certificate,
                Parts parts);

  Result<void> Listen();  // an error names the key of the configuration
  std::string address() const { return server_.address(); }
  std::string plain_address() const { return plain_.has_value() ? plain_->address() : ""; }
  const ServedCertificate& certificate() const { return certificate_; }
  void Start();
  void Stop(std::chrono::steady_clock::time_point deadline);  // as RegistryServer's
  void Tell(Readiness& readiness) const;

 private:
  const uint16_t redirect_port_;  // 0: the server's
  ServedCertificate certificate_;
  RegistryServer server_;
  std::optional<PlainServer> plain_;
  TaskGroup following_;  // last: what it runs uses the others
};

}  // namespace outport
