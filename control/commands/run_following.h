#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/progress.h"
#include "outport/v1/collection.pb.h"
#include "registry/base/result.h"

namespace outport::control {

// The options of commands that start a run at the store.
struct WaitOptions {
  bool wait = true;
  std::string timeout = "24h";

  // Adds the options to a command. The WaitOptions outlives the command's run.
  void AddTo(const Command& command);
};

// The work that a command waits for. `done` says whether the work has ended, and `progress` says
// how far it is.
struct RunWork {
  std::function<bool(const v1::RunRow&)> done;
  std::function<std::string(const v1::RunRow&)> progress;
};

// Follows a run at the store until its work is done. kCancelled after an interrupt, and
// kDeadlineExceeded after the timeout; the run then continues at the store.
Result<v1::RunRow> Follow(const Invocation& invocation, StoreClient& client, v1::RunRow run,
                          const RunWork& work, InterruptibleWait& wait,
                          std::chrono::milliseconds timeout);

// Follows a run that removes content until it has ended, unless the options say not to wait, and
// prints the result. kInternal if the run failed.
Result<void> FollowRun(const Invocation& invocation, StoreClient& client, v1::RunRow run,
                       const WaitOptions& options, InterruptibleWait& wait);

// "120 of 500 items, 1.2 GiB". Without a plan, nobody knows the whole.
std::string Share(const v1::RunCounts& part, const v1::RunCounts& whole);

}  // namespace outport::control
