#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "registry/base/log.h"
#include "registry/base/mutex.h"

namespace outport {

// Writes log lines to a file descriptor on a thread of its own. The reader of the log may be slow
// or dead: a caller of Write() never waits for it. Up to `capacity` bytes of lines wait in the
// order of their calls. If there is no room, the line is lost; the last quarter of the room is for
// errors. A line is also lost if the descriptor fails, for example on a full disk. A crash of the
// process loses the lines that wait. Safe for all threads.
class LogWriter {
 public:
  static constexpr size_t kCapacity = 4 << 20;

  // The descriptor stays open as long as the LogWriter. It may be shared with other processes, so
  // its flags do not change.
  explicit LogWriter(int fd, size_t capacity = kCapacity);
  // Ends the thread. Lines that wait are lost.
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // `line` ends with a line feed.
  void Write(LogLevel level, std::string_view line);
  // Waits until the lines of earlier calls are written, but at most for `limit`. Returns false if
  // they are not. Later calls do not wait while the reader has taken no line since then.
  bool Flush(std::chrono::milliseconds limit);
  uint64_t lines_lost() const { return lost_; }

 private:
  void Run();
  // Writes the whole line, unless the descriptor fails or the LogWriter ends.
  bool WriteLine(std::string_view line);

  const int fd_;
  const size_t capacity_;
  std::atomic<uint64_t> lost_ = 0;
  std::atomic<bool> stopping_ = false;
  bool is_cut_ = false;  // the last line was written in part; for the thread alone
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> lines_ OUTPORT_GUARDED_BY(mutex_);
  size_t bytes_ OUTPORT_GUARDED_BY(mutex_) = 0;    // of lines_
  uint64_t added_ OUTPORT_GUARDED_BY(mutex_) = 0;  // lines so far
  uint64_t taken_ OUTPORT_GUARDED_BY(mutex_) = 0;  // lines that are written or lost
  // The lines that were taken when a Flush() gave up.
  std::optional<uint64_t> gave_up_at_ OUTPORT_GUARDED_BY(mutex_) = std::nullopt;
  std::thread thread_;  // last: it uses the members above
};

// Lets the process's log use a LogWriter from now on. Before that, Log::ToStandardError() writes
// each line at once. REQUIRES: the signals that other threads handle are blocked.
void StartLogWriter();
// The process's LogWriter; nullptr before StartLogWriter(). Valid until the process ends.
LogWriter* ProcessLogWriter();
// Flushes the process's LogWriter, if there is one, for at most a second.
void FlushLog();

}  // namespace outport
