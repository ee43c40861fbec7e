#include "control/console/new_password.h"

#include <gtest/gtest.h>
#include <pty.h>
#include <termios.h>
#include <unistd.h>

#include <sstream>
#include <thread>

#include "tests/support/test_latch.h"

namespace outport::control {
namespace {

// Reads a password from a pipe with `text`.
Result<std::string> FromPipe(const std::string& text) {
  int ends[2];
  EXPECT_EQ(::pipe(ends), 0);
  EXPECT_EQ(::write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  std::ostringstream prompts;
  Result<std::string> password = ReadNewPassword(ends[0], prompts);
  ::close(ends[0]);
  EXPECT_EQ(prompts.str(), "");
  return password;
}

TEST(NewPassword, ReadsTheFirstLineOfStandardInput) {
  EXPECT_EQ(*FromPipe("secret\n"), "secret");
  EXPECT_EQ(*FromPipe("secret"), "secret");
  EXPECT_EQ(*FromPipe("secret\r\nnext\n"), "secret");
  EXPECT_EQ(*FromPipe(" with space \n"), " with space ");
  EXPECT_FALSE(FromPipe("").has_value());
  EXPECT_FALSE(FromPipe("\nsecret\n").has_value());
  EXPECT_FALSE(FromPipe(std::string(5000, 'a')).has_value());
}

// A terminal at which somebody answers each prompt with a line.
class Typist {
 public:
  Typist() { EXPECT_EQ(::openpty(&keyboard_, &terminal_, nullptr, nullptr, nullptr), 0); }
  ~Typist() {
    ::close(keyboard_);
    ::close(terminal_);
  }
  Result<std::string> Type(const std::string& first, const std::string& second) {
    std::ostringstream prompts;
    Result<std::string> password = Error{};
    std::thread reader([&] { password = ReadNewPassword(terminal_, prompts); });
    // The program discards input that arrives before it has switched off the echo.
    EXPECT_TRUE(WaitUntil([this] { return !Echoes(); }));
    const std::string lines = first + "\n" + second + "\n";
    EXPECT_EQ(::write(keyboard_, lines.data(), lines.size()), static_cast<ssize_t>(lines.size()));
    reader.join();
    return password;
  }
  bool Echoes() const {
    termios settings{};
    ::tcgetattr(terminal_, &settings);
    return (settings.c_lflag & ECHO) != 0;
  }

 private:
  int keyboard_ = -1;
  int terminal_ = -1;
};

TEST(NewPassword, PromptsTwiceWithoutEcho) {
  Typist typist;
  EXPECT_EQ(*typist.Type("secret", "secret"), "secret");
  EXPECT_TRUE(typist.Echoes()) << "the echo must be restored";
}

TEST(NewPassword, RejectsTwoDifferentPasswords) {
  Typist typist;
  const auto password = typist.Type("secret", "secreT");
  ASSERT_FALSE(password.has_value());
  EXPECT_NE(password.error().message.find("differ"), std::string::npos);
  EXPECT_TRUE(typist.Echoes());
}

}  // namespace
}  // namespace outport::control
