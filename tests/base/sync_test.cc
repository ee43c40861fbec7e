#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <vector>

#include "registry/base/file.h"
#include "tests/support/temporary_folder.h"

// Tests that PosixFileSystem calls fsync and fdatasync: this program replaces the C library's
// functions. All code above File and FileSystem is tested on a simulated disk that loses unsynced
// data (tests/support/fault_disk.h).
namespace outport {
namespace {

namespace fs = std::filesystem;
using Syncs = std::vector<std::string>;

Syncs* syncs = nullptr;  // the synced files, in order; nullptr: not recorded

fs::path PathOf(int fd) { return fs::read_symlink("/proc/self/fd/" + std::to_string(fd)); }

// A folder as "name/: entries", a file as "name: content".
std::string Describe(const fs::path& path) {
  if (!fs::is_directory(path)) return path.filename().native() + ": " + *ReadWholeFile(path);
  Syncs names = *PosixFileSystem().List(path);
  std::ranges::sort(names);
  std::string text = path.filename().native() + "/:";
  for (const std::string& name : names) text += ' ' + name;
  return text;
}

int Record(int fd, long call) {
  if (syncs != nullptr) {
    const fs::path path = PathOf(fd);
    const std::string kind = call == SYS_fsync ? "fsync " : "fdatasync ";
    syncs->push_back(kind + Describe(path));
  }
  return static_cast<int>(::syscall(call, fd));
}

}  // namespace
}  // namespace outport

extern "C" int fsync(int fd) { return outport::Record(fd, SYS_fsync); }
extern "C" int fdatasync(int fd) { return outport::Record(fd, SYS_fdatasync); }

namespace outport {
namespace {

class I2SyncReachesTheKernel : public testing::Test {
 protected:
  I2SyncReachesTheKernel() {
    fs::create_directories(folder_);
    syncs = &synced_;
  }
  ~I2SyncReachesTheKernel() override { syncs = nullptr; }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path() / "data";
  Syncs synced_;
  PosixFileSystem files_;
};

TEST_F(I2SyncReachesTheKernel, OfAFileWithAllThatWasWritten) {
  const auto file = *files_.Create(folder_ / "a");
  ASSERT_TRUE(file->WriteAt(0, AsBytes("one")).has_value());
  EXPECT_EQ(synced_, Syncs());
  ASSERT_TRUE(file->Sync().has_value());
  EXPECT_EQ(synced_, Syncs{"fdatasync a: one"});
}

TEST_F(I2SyncReachesTheKernel, OfAFolderWithItsNames) {
  ASSERT_TRUE(files_.Create(folder_ / "a").has_value());
  ASSERT_TRUE(files_.Rename(folder_ / "a", folder_ / "b").has_value());
  EXPECT_EQ(synced_, Syncs());
  ASSERT_TRUE(files_.SyncDirectory(folder_).has_value());
  EXPECT_EQ(synced_, Syncs{"fsync data/: b"});
}

TEST_F(I2SyncReachesTheKernel, OfEveryFolderThatGotANewOne) {
  ASSERT_TRUE(files_.CreateDirectories(folder_ / "x/y/z").has_value());
  EXPECT_EQ(synced_, (Syncs{"fsync data/: x", "fsync x/: y", "fsync y/: z"}));
  synced_.clear();
  ASSERT_TRUE(files_.CreateDirectories(folder_ / "x/y/z").has_value());
  EXPECT_EQ(synced_, Syncs()) << "nothing was created";
}

TEST_F(I2SyncReachesTheKernel, OfAReplacedFileBeforeItIsInPlaceAndOfItsPlaceAfterwards) {
  ASSERT_TRUE(ReplaceFile(folder_ / "config", "one").has_value());
  EXPECT_EQ(synced_, (Syncs{"fdatasync config.new: one", "fsync data/: config"}));
  synced_.clear();
  ASSERT_TRUE(ReplaceFile(folder_ / "config", "two").has_value());
  EXPECT_EQ(synced_, (Syncs{"fdatasync config.new: two", "fsync data/: config"}));
  EXPECT_EQ(*ReadWholeFile(folder_ / "config"), "two");
}

}  // namespace
}  // namespace outport
