#include "store/work/heartbeat.h"

#include <utility>

#include "registry/base/repeat.h"

namespace outport::store {

Heartbeat::Heartbeat(Parts parts)
    : parts_(std::move(parts)),
      clock_failure_({.log = parts_.log, .failed = "store clock not saved"}),
      owner_failure_({.log = parts_.log, .failed = "owner lease not renewed"}) {}

Result<void> Heartbeat::Start() {
  TRY_VOID(parts_.clock.Load(parts_.meta));
  Beat();
  const Result<size_t> deleted = parts_.owner.DeleteExpired();
  owner_failure_.Record(deleted.has_value() ? Result<void>() : Result<void>(deleted.error()));
  return {};
}

void Heartbeat::Beat() {
  clock_failure_.Record(parts_.clock.Save(parts_.meta));
  owner_failure_.Record(parts_.owner.Renew());
}

Awaitable<void> Heartbeat::BeatUntilCancelled() {
  co_await RepeatBlockingUntilCancelled(Owner::kRenewPeriod, parts_.pool, [this] { Beat(); });
}

void Heartbeat::Stop() {
  clock_failure_.Record(parts_.clock.Save(parts_.meta, std::chrono::milliseconds(0)));
  owner_failure_.Record(parts_.owner.Release());
}

}  // namespace outport::store
