#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/http/operations_server.h"
#include "store/fleet/rotation.h"

namespace outport::store {

// Renews the certificate of the fleet port, and reports when it is about to expire. The certificate
// of the registry port may be another one. Safe for all threads.
class FleetCertificate {
 public:
  // Everything it refers to outlives it.
  struct Parts {
    Rotation& rotation;
    const Clock& clock;
    Log log;
    std::filesystem::path pki;  // DATA/pki
    std::string chain;          // PEM: the certificate as loaded at start
  };
  explicit FleetCertificate(Parts parts);

  // Renews the certificate if that is due. Logs a failure. Blocks.
  void Renew();
  // Adds a reason if the certificate has expired, a warning if it was not renewed in time. Does not
  // block.
  void Report(Readiness& readiness) const;

 private:
  Result<void> RenewIfDue();

  const Parts parts_;
  std::atomic<std::chrono::system_clock::time_point> not_after_;
};

}  // namespace outport::store
