#include "registry/base/process.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

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

}  // namespace
}  // namespace outport
