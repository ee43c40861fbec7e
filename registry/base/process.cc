#include "registry/base/process.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "registry/base/log.h"

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

namespace outport {

void ExitProcess(int exit_code) {
  std::cout.flush();
  std::fflush(nullptr);
#if __has_feature(address_sanitizer)
  __lsan_do_leak_check();  // otherwise a handler of atexit() checks
#endif
  ::_exit(exit_code);
}

void PrepareDaemonProcess() {
  constexpr int kArenas = 2;
  constexpr int kMapFromBytes = 128 << 10;
  ::mallopt(M_ARENA_MAX, kArenas);
  ::mallopt(M_MMAP_THRESHOLD, kMapFromBytes);
  constexpr mode_t kPrivate = 077;
  ::umask(kPrivate);
  ::signal(SIGPIPE, SIG_IGN);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

StopSignals::StopSignals() {
  sigemptyset(&signals_);
  sigaddset(&signals_, SIGTERM);
  sigaddset(&signals_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
}

void StopSignals::Wait() {
  int signal_number = 0;
  sigwait(&signals_, &signal_number);
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

Error TasksStillRunning(size_t count) {
  return Error{ErrorCode::kDeadlineExceeded, std::to_string(count) + " tasks did not end in time"};
}

Result<void> RunUntilSignal(const std::function<Result<std::unique_ptr<Daemon>>()>& start) {
  StopSignals signals;
  TRY(const std::unique_ptr<Daemon> daemon, start());
  signals.Wait();
  const Result<void> stopped = daemon->Stop();
  if (!stopped.has_value()) {
    Log::ToStandardError(LogLevel::kError)
        .Error("stop failed: exiting with tasks in progress", {{"error", stopped.error().message}});
    ExitProcess(1);
  }
  return {};
}

}  // namespace outport
