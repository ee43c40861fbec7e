#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <string>

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/http/operations_server.h"
#include "registry/security/pki/pki.h"
#include "store/fleet/rotation.h"

namespace outport::store {

// Renews the certificate of the fleet port, and reports when that certificate is about to expire.
// The registry port may use another certificate, which this class does not watch. Safe for all
// threads.
class FleetCertificate {
 public:
  // The referenced objects outlive this object.
  struct Parts {
    Rotation& rotation;
    const Clock& clock;
    Log log;
    std::filesystem::path pki;  // DATA/pki
    std::string chain;          // PEM: the certificate at the start of the store
  };
  explicit FleetCertificate(Parts parts);

  // Renews the certificate if a renewal is due. Logs a failure. Blocks.
  void Renew();
  // Adds a reason to `readiness` if the certificate has expired or is not valid yet, or a warning
  // if its renewal is late. Does not block.
  void Report(Readiness& readiness) const;

 private:
  Result<void> RenewIfDue();
  void Use(const pki::Validity& validity);

  const Parts parts_;
  std::atomic<std::chrono::system_clock::time_point> not_before_;
  std::atomic<std::chrono::system_clock::time_point> not_after_;
};

}  // namespace outport::store
