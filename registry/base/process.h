#pragma once

#include <signal.h>

#include <functional>
#include <memory>

#include "registry/base/result.h"

namespace outport {

// Ends the process. Writes the log, for at most a second, and the buffers of the standard streams.
// Neither calls the handlers of atexit() nor destroys static objects: gRPC destroys its channels on
// threads of its own, which may still run and use OpenSSL and other libraries. Each main() ends
// with this function.
[[noreturn]] void ExitProcess(int exit_code);

// Opens /dev/null in place of each closed standard stream. Otherwise the next file that the process
// opens becomes a standard stream, and a message would be written into this file.
void OpenStandardStreams();

// Sets up a daemon's process. Call it first in main().
//  - Calls OpenStandardStreams().
//  - Makes malloc return large buffers to the system and use few arenas. The process then occupies
//    little more memory than it uses.
//  - Raises the limit of open files to the hard limit.
//  - Sets the umask to 077. Files that a library creates, such as the database's, then are private.
//  - Ignores SIGPIPE, so that a write to a closed connection returns an error. Ignores SIGUSR1 and
//    SIGUSR2, which otherwise end a process.
void PrepareDaemonProcess();

// Blocks SIGTERM, SIGINT and SIGHUP for all threads, so that only Wait() receives them. REQUIRES:
// construct this before any thread starts, because threads inherit the signal mask.
class StopSignals {
 public:
  StopSignals();
  // Returns when SIGTERM or SIGINT arrives. A second of them then ends the process at once, also if
  // it is the first process of a container. Calls `reload` for each SIGHUP before that.
  void Wait(const std::function<void()>& reload);

 private:
  sigset_t signals_;
};

// A server that runs until a signal arrives. Destroy it only after Stop() succeeded, or if it never
// served.
class Daemon {
 public:
  virtual ~Daemon() = default;
  // Stops accepting requests, lets requests in progress finish until a deadline, then cancels the
  // rest. If this returns an error, some tasks still run and use the daemon's objects. Blocks.
  virtual Result<void> Stop() = 0;
  // Answers SIGHUP. Does not block for long.
  virtual void Reload() {}
};

// The error for a Stop() after which `count` tasks still run.
Error TasksStillRunning(size_t count);

// Starts a daemon, waits for SIGTERM or SIGINT, and stops it. Calls Reload() for each SIGHUP. If
// Stop() fails, the process exits at once with code 1 and destroys nothing, because tasks may still
// use the daemon. REQUIRES: no thread was started before.
Result<void> RunUntilSignal(const std::function<Result<std::unique_ptr<Daemon>>()>& start);

}  // namespace outport
