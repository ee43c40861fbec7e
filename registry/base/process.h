#pragma once

#include <signal.h>

#include <functional>
#include <memory>

#include "registry/base/result.h"

namespace outport {

// What a daemon's main does before anything else: large buffers go back to the system when they are
// freed and threads share few arenas, so that what the process holds is what it uses; it may have
// as many files open as the system allows; a peer that left is an error of the call, not a signal.
void PrepareDaemonProcess();

// SIGTERM and SIGINT, held back until one thread waits for them. REQUIRES: made before any thread,
// for threads inherit what is held back.
class EndingSignals {
 public:
  EndingSignals();
  // Returns at the first; a second one then ends the process at once.
  void Wait();

 private:
  sigset_t signals_;
};

// What serves until a signal ends it. Destroyed after Stop(), or without it when it never served.
class Daemon {
 public:
  virtual ~Daemon() = default;
  // Stops accepting, finishes what is in flight up to a deadline, then ends everything. An error
  // names what did not end: that still uses what the daemon owns. Blocks.
  virtual Result<void> Stop() = 0;
};

// Why Stop() gave up.
Error TasksLeft(size_t count);

// Starts a daemon, waits for SIGTERM or SIGINT, and stops it. What will not end is not waited for,
// and nothing that it may use is destroyed: then the process ends here, at once, with exit code 1.
// REQUIRES: no thread was made before.
Result<void> RunUntilSignal(const std::function<Result<std::unique_ptr<Daemon>>()>& start);

}  // namespace outport
