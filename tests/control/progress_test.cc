#include "control/console/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace outport::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

struct Console {
  explicit Console(bool terminal)
      : invocation({.input = -1, .out = out, .err = err, .terminal = terminal}) {}

  std::ostringstream out;
  std::ostringstream err;
  Invocation invocation;
};

TEST(Progress, ReplacesOneLineOnATerminal) {
  Console console(true);
  {
    Progress progress(console.invocation);
    progress.Show("1 of 2");
    progress.Show("1 of 2");
    progress.Show("2 of 2");
  }
  EXPECT_EQ(console.err.str(), "\r1 of 2\x1b[K\r2 of 2\x1b[K\r\x1b[K");
  EXPECT_EQ(console.out.str(), "");
}

TEST(Progress, IsSilentWithoutATerminal) {
  Console console(false);
  {
    Progress progress(console.invocation);
    progress.Show("1 of 2");
    progress.Show("2 of 2");
  }
  EXPECT_EQ(console.err.str(), "");
}

TEST(Progress, IsSilentForPrograms) {
  Console console(true);
  console.invocation.format = "json";
  Progress(console.invocation).Show("1 of 2");
  EXPECT_EQ(console.err.str(), "");
}

TEST(InterruptibleWait, LastsForItsTimeWithoutASignal) {
  InterruptibleWait wait;
  const auto begin = steady_clock::now();
  EXPECT_TRUE(wait.Sleep(milliseconds(20)));
  EXPECT_GE(steady_clock::now() - begin, milliseconds(20));
}

TEST(InterruptibleWait, EndsAtASignalAndHoldsBackTheNext) {
  InterruptibleWait wait;
  ::pthread_kill(::pthread_self(), SIGINT);
  EXPECT_FALSE(wait.Sleep(std::chrono::hours(1)));
  ::pthread_kill(::pthread_self(), SIGTERM);  // the destructor drops it
}

}  // namespace
}  // namespace outport::control
