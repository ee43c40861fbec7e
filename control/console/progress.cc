#include "control/console/progress.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <ostream>

#include "control/console/printable.h"

namespace outport::control {

using std::chrono::steady_clock;

void Progress::Show(const std::string& text) {
  if (!invocation_.streams.terminal || invocation_.json() || text == shown_) return;
  // Return to the first column, write, and erase what the line had to the right.
  invocation_.streams.err << "\r" << Printable(text) << "\x1b[K" << std::flush;
  shown_ = text;
}

void Progress::Clear() {
  if (!shown_.empty()) invocation_.streams.err << "\r\x1b[K" << std::flush;
  shown_.clear();
}

InterruptibleWait::InterruptibleWait() {
  ::sigemptyset(&signals_);
  ::sigaddset(&signals_, SIGINT);
  ::sigaddset(&signals_, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
}

InterruptibleWait::~InterruptibleWait() {
  // A second interrupt must not end the program before it has said what the first one did.
  const timespec none{};
  while (::sigtimedwait(&signals_, nullptr, &none) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

bool InterruptibleWait::Sleep(std::chrono::milliseconds time) {
  const auto deadline = steady_clock::now() + time;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::max(deadline - steady_clock::now(), steady_clock::duration::zero()));
    const timespec span{.tv_sec = left.count() / 1'000'000'000,
                        .tv_nsec = left.count() % 1'000'000'000};
    if (::sigtimedwait(&signals_, nullptr, &span) > 0) return false;
    if (errno != EINTR) return true;
  }
}

}  // namespace outport::control
