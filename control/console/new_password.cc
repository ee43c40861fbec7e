#include "control/console/new_password.h"

#include <openssl/crypto.h>
#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ostream>

#include "registry/base/bytes.h"

namespace outport::control {
namespace {

constexpr size_t kMaxLineBytes = 1024;
constexpr size_t kGeneratedLetters = 24;

// Turns the echo of a terminal off. The destructor restores the echo. Until then an interrupt ends
// the read instead of the program, so that the destructor always runs.
class QuietTerminal {
 public:
  explicit QuietTerminal(int terminal) : terminal_(terminal) {
    struct sigaction interrupted{};
    interrupted.sa_handler = [](int) {};  // without SA_RESTART, so that a read in progress fails
    ::sigaction(SIGINT, &interrupted, &old_interrupt_);
    ::sigaction(SIGTERM, &interrupted, &old_terminate_);
    ::tcgetattr(terminal_, &old_);
    termios quiet = old_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(terminal_, TCSAFLUSH, &quiet);
  }
  ~QuietTerminal() {
    ::tcsetattr(terminal_, TCSAFLUSH, &old_);
    ::sigaction(SIGINT, &old_interrupt_, nullptr);
    ::sigaction(SIGTERM, &old_terminate_, nullptr);
  }
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;

 private:
  const int terminal_;
  termios old_{};
  struct sigaction old_interrupt_{};
  struct sigaction old_terminate_{};
};

// Reads byte by byte, so that the input after the line stays unread for another program.
Result<std::string> ReadLine(int input) {
  std::string line;
  line.reserve(kMaxLineBytes);  // a reallocation would leave a copy of the password in memory
  for (char c = 0;;) {
    const ssize_t n = ::read(input, &c, 1);
    if (n < 0 && errno == EINTR) return Error{ErrorCode::kCancelled, "interrupted"};
    if (n < 0) return ErrnoError(errno, "reading", "the password");
    if (n == 0 || c == '\n') break;
    if (line.size() == kMaxLineBytes) {
      OPENSSL_cleanse(line.data(), line.size());
      return Error{ErrorCode::kInvalidArgument, "the password is too long"};
    }
    line.push_back(c);
  }
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

}  // namespace

Result<std::string> ReadNewPassword(int input, std::ostream& prompts) {
  if (::isatty(input) == 0) {
    TRY(std::string line, ReadLine(input));
    if (!line.empty()) return line;
    return Error{ErrorCode::kInvalidArgument,
                 "no password on standard input; write it as the first line"};
  }
  const QuietTerminal quiet(input);
  prompts << "Password: " << std::flush;
  TRY(std::string first, ReadLine(input));
  prompts << "\nRepeat password: " << std::flush;
  TRY(std::string second, ReadLine(input));
  prompts << "\n" << std::flush;
  const bool same = first == second;
  OPENSSL_cleanse(second.data(), second.size());
  if (same && !first.empty()) return first;
  OPENSSL_cleanse(first.data(), first.size());
  return Error{ErrorCode::kInvalidArgument,
               same ? "the password is empty" : "the passwords differ; nothing was changed"};
}

std::string GeneratePassword() {
  constexpr std::string_view kAlphabet = "abcdefghjkmnpqrstvwxyz0123456789";
  static_assert(kAlphabet.size() == 32);
  std::array<std::byte, kGeneratedLetters> random{};
  FillRandom(random);
  std::string password;
  for (const std::byte byte : random) {
    password += kAlphabet[std::to_integer<size_t>(byte) % kAlphabet.size()];
  }
  OPENSSL_cleanse(random.data(), random.size());
  return password;
}

}  // namespace outport::control
