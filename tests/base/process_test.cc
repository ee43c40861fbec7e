#include "registry/base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>

#include "tests/support/sanitizer.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

TEST(ExitProcessDeathTest, RunsNoHandlerOfAtexit) {
  EXPECT_EXIT(
      {
        std::atexit([] { std::abort(); });
        ExitProcess(3);
      },
      testing::ExitedWithCode(3), "");
}

TEST(ExitProcessDeathTest, WritesTheBuffersOfTheStandardStreams) {
  EXPECT_EXIT(
      {
        // EXPECT_EXIT() reads standard error, which has no buffer by default.
        static char buffer[BUFSIZ];
        std::setvbuf(stderr, buffer, _IOFBF, sizeof buffer);
        std::fputs("from stdio, ", stderr);
        ExitProcess(0);
      },
      testing::ExitedWithCode(0), "from stdio, $");
}

TEST(PrepareDaemonProcessDeathTest, FilesOfLibrariesArePrivate) {
  const TemporaryFolder folder;
  const std::string path = folder.path() / "file";
  EXPECT_EXIT(
      {
        ::umask(0);
        PrepareDaemonProcess();
        std::fclose(std::fopen(path.c_str(), "w"));
        struct stat status{};
        ::stat(path.c_str(), &status);
        ExitProcess((status.st_mode & 0777) == 0600 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(PrepareDaemonProcessDeathTest, AFileNeverBecomesAStandardStream) {
  EXPECT_EXIT(
      {
        for (const int stream : {STDIN_FILENO, STDOUT_FILENO}) ::close(stream);
        PrepareDaemonProcess();
        const int file = ::open("/proc/self/status", O_RDONLY);
        ExitProcess(file > STDERR_FILENO && ::fcntl(STDOUT_FILENO, F_GETFD) >= 0 ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

TEST(PrepareDaemonProcessDeathTest, UserSignalsEndNothing) {
  EXPECT_EXIT(
      {
        PrepareDaemonProcess();
        ::raise(SIGUSR1);
        ::raise(SIGUSR2);
        ExitProcess(0);
      },
      testing::ExitedWithCode(0), "");
}

// Sends signals to its own process. They are pending, or they arrive before kill() returns.
class SignalledDaemon final : public Daemon {
 public:
  SignalledDaemon(int at_start, int at_reload, int at_stop)
      : at_reload_(at_reload), at_stop_(at_stop) {
    Send(at_start);
  }
  Result<void> Stop() override {
    Send(at_stop_);
    std::fprintf(stderr, "stopped after %d reloads", reloads_);
    return {};
  }
  void Reload() override {
    ++reloads_;
    Send(at_reload_);
  }

 private:
  static void Send(int signal_number) {
    if (signal_number != 0) ::kill(::getpid(), signal_number);
  }

  const int at_reload_;
  const int at_stop_;
  int reloads_ = 0;
};

[[noreturn]] void RunDaemon(int at_start, int at_reload, int at_stop) {
  const Result<void> ran = RunUntilSignal([&]() -> Result<std::unique_ptr<Daemon>> {
    return std::make_unique<SignalledDaemon>(at_start, at_reload, at_stop);
  });
  ExitProcess(ran.has_value() ? 0 : 1);
}

TEST(RunUntilSignalDeathTest, AHangupReloads) {
  EXPECT_EXIT(RunDaemon(SIGHUP, SIGTERM, SIGHUP), testing::ExitedWithCode(0),
              "stopped after 1 reloads");
}

// Returns whether a process ended by the signal. The thread sanitizer delays a signal that a
// handler raises, so there the process exits as the first process of a container does.
auto EndedBy(int signal_number) {
  return [signal_number](int status) {
    constexpr int kEndedBySignal = 128;
    return testing::KilledBySignal(signal_number)(status) ||
           (testing_support::kSanitized &&
            testing::ExitedWithCode(kEndedBySignal + signal_number)(status));
  };
}

TEST(RunUntilSignalDeathTest, ASecondSignalEndsTheProcessAtOnce) {
  EXPECT_EXIT(RunDaemon(SIGTERM, 0, SIGTERM), EndedBy(SIGTERM), "^$");
  EXPECT_EXIT(RunDaemon(SIGTERM, 0, SIGINT), EndedBy(SIGINT), "^$");
}

// Runs a daemon as the first process of a namespace, as in a container. Returns the daemon's exit
// code, or nullopt if the machine does not allow this.
std::optional<int> RunAsFirstProcess() {
  constexpr int kNotAllowed = 77;
  constexpr int kKilled = 78;
  const auto result_of = [](pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : kKilled;
  };
  const pid_t outer = ::fork();
  if (outer == 0) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) ::_exit(kNotAllowed);
    const pid_t first = ::fork();
    if (first == 0) RunDaemon(SIGTERM, 0, SIGTERM);
    ::_exit(first < 0 ? kNotAllowed : result_of(first));
  }
  const int code = result_of(outer);
  return code == kNotAllowed ? std::nullopt : std::optional(code);
}

TEST(RunUntilSignal, ASecondSignalEndsTheFirstProcessOfAContainer) {
  const std::optional<int> code = RunAsFirstProcess();
  if (!code.has_value()) GTEST_SKIP() << "this machine allows no new namespaces";
  EXPECT_EQ(code, 128 + SIGTERM);
}

}  // namespace
}  // namespace outport
