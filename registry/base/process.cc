#include "registry/base/process.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iostream>
#include <string>

#include "registry/base/log.h"
#include "registry/base/log_writer.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

namespace outport {

void ExitProcess(int exit_code) {
  FlushLog();
  std::cout.flush();
  std::fflush(nullptr);
#if __has_feature(address_sanitizer)
  __lsan_do_leak_check();  // otherwise a handler of atexit() checks
#endif
  ::_exit(exit_code);
}

namespace {

// Ends the process by the signal, as it would end without a handler. The kernel ignores the default
// action of a signal for the first process of a container, so that process exits. Calls only
// functions that are safe in a handler.
void EndAtOnce(int signal_number) {
  constexpr int kEndedBySignal = 128;  // a shell adds the signal's number
  ::signal(signal_number, SIG_DFL);
  ::raise(signal_number);
  ::_exit(kEndedBySignal + signal_number);
}

// Writes the log before the program writes an error to the same stream.
struct FlushAtEnd {
  ~FlushAtEnd() { FlushLog(); }
};

}  // namespace

void OpenStandardStreams() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    const bool is_closed = ::fcntl(fd, F_GETFD) < 0 && errno == EBADF;
    // open() returns the lowest number that is free, and the numbers below `fd` are in use.
    if (is_closed && ::open("/dev/null", O_RDWR) != fd) ::_exit(1);
  }
}

void PrepareDaemonProcess() {
  OpenStandardStreams();
  constexpr int kArenas = 2;
  constexpr int kMapFromBytes = 128 << 10;
  ::mallopt(M_ARENA_MAX, kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kMapFromBytes);
  constexpr mode_t kPrivate = 077;
  ::umask(kPrivate);
  for (const int ignored : {SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(ignored, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  sigaddset(&signals_, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

void StopSignals::Wait(const std::function<void()>& reload) {
  int signal_number = 0;
  while (sigwait(&signals_, &signal_number) == 0 && signal_number == SIGHUP) reload();
  struct sigaction second{};
  second.sa_handler = EndAtOnce;
  second.sa_flags = SA_NODEFER;  // so that raise() takes effect in the handler
  sigset_t ending;
  sigemptyset(&ending);
  for (const int number : {SIGTERM, SIGINT}) {
    ::sigaction(number, &second, nullptr);
    sigaddset(&ending, number);
  }
  pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
}

Error TasksStillRunning(size_t count) {
  return Error{ErrorCode::kDeadlineExceeded, std::to_string(count) + " tasks did not end in time"};
}

Result<void> RunUntilSignal(const std::function<Result<std::unique_ptr<Daemon>>()>& start) {
  StopSignals signals;
  StartLogWriter();
  const FlushAtEnd flush;
  TRY(const std::unique_ptr<Daemon> daemon, start());
  signals.Wait([&daemon] { daemon->Reload(); });
  const Result<void> stopped = daemon->Stop();
  if (!stopped.has_value()) {
    Log::ToStandardError(LogLevel::kError)
        .Error("stop failed: exiting with tasks in progress", {{"error", stopped.error().message}});
    ExitProcess(1);
  }
  return {};
}

}  // namespace outport
