#pragma once

#include <signal.h>

#include <chrono>
#include <string>

#include "control/console/invocation.h"

namespace outport::control {

// Shows how far some work at the store is, on the error stream: one line that each update replaces.
// Shows nothing if the error stream is no terminal, where only failures belong, or if the output is
// JSON. For one thread.
class Progress {
 public:
  explicit Progress(const Invocation& invocation) : invocation_(invocation) {}
  // Removes the line from the terminal.
  ~Progress() { Clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Show(const std::string& text);
  // Removes the line, so that other output can follow.
  void Clear();

 private:
  const Invocation& invocation_;
  std::string shown_;
};

// Holds back SIGINT and SIGTERM, so that an interrupt ends only the wait for work at the store, and
// the program can say that the work continues. Create it before the first call to the store: the
// threads that gRPC starts inherit the blocked signals. For one thread; restores the signals at its
// end.
class InterruptibleWait {
 public:
  InterruptibleWait();
  ~InterruptibleWait();
  InterruptibleWait(const InterruptibleWait&) = delete;
  InterruptibleWait& operator=(const InterruptibleWait&) = delete;

  // Blocks for this time. Returns false at once if a signal has arrived.
  [[nodiscard]] bool Sleep(std::chrono::milliseconds time);

 private:
  sigset_t signals_{};
  sigset_t before_{};
};

}  // namespace outport::control
