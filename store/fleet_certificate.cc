#include "store/fleet_certificate.h"

#include <utility>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::store {
namespace {

constexpr std::chrono::days kRenewalNotice{30};

}  // namespace

FleetCertificate::FleetCertificate(Parts parts)
    : parts_(std::move(parts)),
      not_after_(pki::NotAfter(parts_.chain).value_or(parts_.clock.Wall() + kRenewalNotice * 2)) {}

void FleetCertificate::Renew() {
  const Result<void> renewed = RenewIfDue();
  if (renewed.has_value()) return;
  parts_.log.Error("fleet certificate renewal failed", {{"error", renewed.error().message}});
}

Result<void> FleetCertificate::RenewIfDue() {
  TRY_VOID(parts_.rotation.RenewServerCertificate());
  TRY(const std::string chain, ReadWholeFile(parts_.pki / "server.crt"));
  TRY(not_after_, pki::NotAfter(chain));
  return {};
}

void FleetCertificate::Report(Readiness& readiness) const {
  const auto not_after = not_after_.load();
  if (parts_.clock.Wall() >= not_after) {
    readiness.reasons.push_back("the fleet port's certificate expired at " + FormatTime(not_after));
  } else if (parts_.clock.Wall() >= not_after - kRenewalNotice) {
    readiness.warnings.push_back("the fleet port's certificate expires at " +
                                 FormatTime(not_after) + "; its renewal failed, see the log");
  }
}

}  // namespace outport::store
