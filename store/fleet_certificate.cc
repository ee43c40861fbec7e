#include "store/fleet_certificate.h"

#include <utility>

#include "registry/base/file.h"
#include "registry/security/pki/pki.h"

namespace outport::store {
namespace {

constexpr std::chrono::days kRenewalNotice{30};
constexpr char kHowToRenew[] =
    "; set the wall clock, or if it is right, move DATA/pki/server.key away and restart the store";

}  // namespace

FleetCertificate::FleetCertificate(Parts parts)
    : parts_(std::move(parts)),
      not_before_(parts_.clock.Wall()),
      not_after_(parts_.clock.Wall() + kRenewalNotice * 2) {
  const auto validity = pki::ValidityOf(parts_.chain);
  if (validity.has_value()) Use(*validity);
}

void FleetCertificate::Renew() {
  const Result<void> renewed = RenewIfDue();
  if (renewed.has_value()) return;
  parts_.log.Error("fleet certificate renewal failed", {{"error", renewed.error().message}});
}

Result<void> FleetCertificate::RenewIfDue() {
  TRY_VOID(parts_.rotation.RenewServerCertificate());
  TRY(const std::string chain, ReadWholeFile(parts_.pki / "server.crt"));
  TRY(const pki::Validity validity, pki::ValidityOf(chain));
  Use(validity);
  return {};
}

void FleetCertificate::Use(const pki::Validity& validity) {
  not_before_ = validity.begin;
  not_after_ = validity.end;
}

void FleetCertificate::Report(Readiness& readiness) const {
  const auto now = parts_.clock.Wall();
  const auto not_before = not_before_.load();
  const auto not_after = not_after_.load();
  if (now >= not_after) {
    readiness.reasons.push_back("the fleet port's certificate expired at " + FormatTime(not_after) +
                                kHowToRenew);
  } else if (now < not_before) {
    readiness.reasons.push_back("the fleet port's certificate is not valid before " +
                                FormatTime(not_before) + kHowToRenew);
  } else if (now >= not_after - kRenewalNotice) {
    readiness.warnings.push_back("the fleet port's certificate expires at " +
                                 FormatTime(not_after) +
                                 "; its renewal failed or waits for the clock, see the log");
  }
}

}  // namespace outport::store
