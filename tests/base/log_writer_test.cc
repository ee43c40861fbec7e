#include "registry/base/log_writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <string>

#include "registry/base/metrics.h"
#include "registry/base/process.h"

namespace outport {
namespace {

using namespace std::chrono_literals;

constexpr auto kSoon = 30s;  // ends a test that hangs

// A pipe that takes few bytes until somebody reads it.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(::pipe(ends_.data()), 0);
    ::fcntl(ends_[1], F_SETPIPE_SZ, 4096);
  }
  ~Pipe() {
    CloseReader();
    ::close(ends_[1]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  int writer() const { return ends_[1]; }
  void CloseReader() {
    if (ends_[0] >= 0) ::close(ends_[0]);
    ends_[0] = -1;
  }
  // Reads until the text ends with `last`.
  std::string ReadUntil(const std::string& last) const {
    std::string text;
    std::array<char, 512> part{};
    while (!text.ends_with(last)) {
      const ssize_t size = ::read(ends_[0], part.data(), part.size());
      if (size <= 0) return text + "(ended)";
      text.append(part.data(), static_cast<size_t>(size));
    }
    return text;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST(LogWriter, WritesTheLinesInTheirOrder) {
  const Pipe pipe;
  LogWriter writer(pipe.writer());
  std::string expected;
  for (int i = 0; i < 2000; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    expected += line;
    writer.Write(LogLevel::kInfo, line);
  }
  const std::string large = std::string(20'000, 'x') + "\n";
  writer.Write(LogLevel::kInfo, large);
  EXPECT_EQ(pipe.ReadUntil("x\n"), expected + large);
  EXPECT_TRUE(writer.Flush(kSoon));
  EXPECT_EQ(writer.lines_lost(), 0u);
}

TEST(LogWriter, NobodyWaitsForAReaderThatTakesNothing) {
  constexpr size_t kCapacity = 64 << 10;
  const Pipe pipe;
  LogWriter writer(pipe.writer(), kCapacity);
  const std::string line = std::string(999, 'i') + "\n";
  for (int i = 0; i < 1000; ++i) writer.Write(LogLevel::kInfo, line);
  const uint64_t lost = writer.lines_lost();
  EXPECT_GT(lost, 900u);
  writer.Write(LogLevel::kError, "an error\n");
  EXPECT_EQ(writer.lines_lost(), lost) << "errors are lost last";
  const std::string read = pipe.ReadUntil("an error\n");
  EXPECT_EQ(read.size(), (1000 - lost) * line.size() + std::string("an error\n").size());
}

TEST(LogWriter, ErrorsAreBoundedToo) {
  constexpr size_t kCapacity = 64 << 10;
  const Pipe pipe;
  LogWriter writer(pipe.writer(), kCapacity);
  for (int i = 0; i < 1000; ++i) writer.Write(LogLevel::kError, std::string(999, 'e') + "\n");
  EXPECT_GT(writer.lines_lost(), 900u);
}

TEST(LogWriter, AFlushGivesUpOnce) {
  const Pipe pipe;
  LogWriter writer(pipe.writer());
  const std::string line = std::string(5000, 'i') + "\n";
  writer.Write(LogLevel::kInfo, line);
  EXPECT_FALSE(writer.Flush(1ms));
  EXPECT_FALSE(writer.Flush(kSoon)) << "would hang for 30 seconds";
  EXPECT_EQ(pipe.ReadUntil("i\n"), line);
}

TEST(LogWriter, AFlushWaitsAgainForAReaderThatGoesOn) {
  const Pipe pipe;
  LogWriter writer(pipe.writer());
  const std::string line = std::string(5000, 'i') + "\n";
  writer.Write(LogLevel::kInfo, line);
  EXPECT_FALSE(writer.Flush(1ms));
  writer.Write(LogLevel::kInfo, "second\n");
  EXPECT_EQ(pipe.ReadUntil("second\n"), line + "second\n");
  writer.Write(LogLevel::kInfo, line);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_FALSE(writer.Flush(50ms)) << "nobody reads this line";
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
  EXPECT_EQ(pipe.ReadUntil("i\n"), line);
}

TEST(LogWriter, CountsLinesThatFail) {
  ::signal(SIGPIPE, SIG_IGN);
  Pipe pipe;
  pipe.CloseReader();
  LogWriter closed(pipe.writer());
  closed.Write(LogLevel::kInfo, "to nobody\n");
  EXPECT_TRUE(closed.Flush(kSoon));
  EXPECT_EQ(closed.lines_lost(), 1u);
  const int full = ::open("/dev/full", O_WRONLY | O_CLOEXEC);
  {
    LogWriter writer(full);
    for (int i = 0; i < 3; ++i) writer.Write(LogLevel::kInfo, "to a full disk\n");
    EXPECT_TRUE(writer.Flush(kSoon));
    EXPECT_EQ(writer.lines_lost(), 3u);
  }
  ::close(full);
}

TEST(ProcessLogDeathTest, WritesItsLinesBeforeTheProcessEnds) {
  EXPECT_EXIT(
      {
        StartLogWriter();
        const Log log = Log::ToStandardError(LogLevel::kInfo);
        for (int i = 0; i < 1000; ++i) log.Info("something", {{"i", i}});
        ExitProcess(0);
      },
      testing::ExitedWithCode(0), "\"event\":\"something\",\"i\":999}\n$");
}

TEST(ProcessLogDeathTest, ADeadReaderHoldsUpNeitherTheProcessNorItsEnd) {
  EXPECT_EXIT(
      {
        const Pipe pipe;
        ::dup2(pipe.writer(), STDERR_FILENO);
        StartLogWriter();
        const Log log = Log::ToStandardError(LogLevel::kInfo);
        for (int i = 0; i < 10'000; ++i) log.Info(std::string(1000, 'x'));
        const std::string metrics = Metrics().Render();
        const bool counted = metrics.contains("\noutport_log_lines_lost_total ") &&
                             !metrics.contains("\noutport_log_lines_lost_total 0\n");
        ExitProcess(counted ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace outport
