#include "registry/base/process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <string>

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

}  // namespace
}  // namespace outport
