#include "registry/base/log_writer.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

namespace outport {
namespace {

using std::chrono::steady_clock;

// Each waiting line counts with this, so that many short lines are bounded, too.
constexpr size_t kLineOverhead = 64;
// A pipe that poll() reports as writable takes this many bytes without blocking (PIPE_BUF).
constexpr size_t kPartBytes = 4096;
constexpr int kPollMs = 100;  // bounds the end of a writer whose reader takes nothing
constexpr std::chrono::seconds kLastFlush{1};

// Set once, and never destroyed: threads write log lines until the process ends.
std::atomic<LogWriter*> process_writer = nullptr;

}  // namespace

LogWriter::LogWriter(int fd, size_t capacity)
    : fd_(fd), capacity_(capacity), thread_([this] { Run(); }) {}

LogWriter::~LogWriter() {
  stopping_ = true;
  {
    const MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
  thread_.join();
}

void LogWriter::Write(LogLevel level, std::string_view line) {
  const size_t size = line.size() + kLineOverhead;
  const size_t room = level == LogLevel::kError ? capacity_ : capacity_ - capacity_ / 4;
  const MutexLock lock(mutex_);
  if (bytes_ + size > room) {
    ++lost_;
    return;
  }
  lines_.emplace_back(line);
  bytes_ += size;
  ++added_;
  changed_.NotifyAll();
}

bool LogWriter::Flush(std::chrono::milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  const MutexLock lock(mutex_);
  const uint64_t wanted = added_;
  while (taken_ < wanted) {
    if (gave_up_at_ == taken_ || steady_clock::now() >= deadline) {
      gave_up_at_ = taken_;
      return false;
    }
    changed_.WaitUntil(mutex_, deadline);
  }
  gave_up_at_.reset();
  return true;
}

void LogWriter::Run() {
  for (;;) {
    std::string line;
    {
      const MutexLock lock(mutex_);
      while (lines_.empty() && !stopping_) changed_.Wait(mutex_);
      if (stopping_) return;
      line = std::move(lines_.front());
      lines_.pop_front();
    }
    const bool written = WriteLine(line);
    if (!written) ++lost_;
    const MutexLock lock(mutex_);
    bytes_ -= line.size() + kLineOverhead;
    ++taken_;
    changed_.NotifyAll();
  }
}

bool LogWriter::WriteLine(std::string_view line) {
  // Otherwise the line would continue the part of an earlier one.
  std::string after_part;
  if (is_cut_) line = after_part.append("\n").append(line);
  bool is_cut = is_cut_;
  while (!line.empty()) {
    pollfd ready{.fd = fd_, .events = POLLOUT, .revents = 0};
    const int polled = ::poll(&ready, 1, kPollMs);
    if (stopping_) return false;
    if (polled == 0) continue;
    const ssize_t size = ::write(fd_, line.data(), std::min(line.size(), kPartBytes));
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (size <= 0) {
      is_cut_ = is_cut;
      return false;
    }
    line.remove_prefix(static_cast<size_t>(size));
    is_cut = true;
  }
  is_cut_ = false;
  return true;
}

void StartLogWriter() {
  if (process_writer != nullptr) return;
  process_writer = std::make_unique<LogWriter>(STDERR_FILENO).release();
}

LogWriter* ProcessLogWriter() { return process_writer; }

void FlushLog() {
  if (LogWriter* writer = process_writer) writer->Flush(kLastFlush);
}

}  // namespace outport
