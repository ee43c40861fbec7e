#pragma once

#include <signal.h>

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

}  // namespace outport
