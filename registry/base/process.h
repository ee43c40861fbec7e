#pragma once

#include <signal.h>

#include <functional>
#include <memory>

#include "registry/base/result.h"

namespace outport {

// Sets up a daemon's process. Call it first in main().
//  - malloc returns large buffers to the system and uses few arenas, so that the process holds
//  little
//    more memory than it uses.
//  - The limit of open files is raised to the hard limit.
//  - SIGPIPE is ignored: a write to a closed connection returns an error.
void PrepareDaemonProcess();

// Blocks SIGTERM and SIGINT until a thread waits for them. REQUIRES: constructed before any thread
// is started, because threads inherit the signal mask.
class EndingSignals {
 public:
  EndingSignals();
  // Returns at the first signal. A second signal then ends the process at once.
  void Wait();

 private:
  sigset_t signals_;
};

// A server that runs until a signal arrives. Destroy it after Stop(), or if it never served.
class Daemon {
 public:
  virtual ~Daemon() = default;
  // Stops accepting, drains requests in progress until a deadline, then ends everything. On an
  // error some tasks have not ended and still use the daemon's objects. Blocks.
  virtual Result<void> Stop() = 0;
};

// The error of a Stop() that left `count` tasks.
Error TasksLeft(size_t count);

// Starts a daemon, waits for SIGTERM or SIGINT, and stops it. If Stop() fails, nothing is destroyed
// and the process ends at once with exit code 1. REQUIRES: no thread was started before.
Result<void> RunUntilSignal(const std::function<Result<std::unique_ptr<Daemon>>()>& start);

}  // namespace outport
