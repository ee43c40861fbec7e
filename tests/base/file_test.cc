#include "registry/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

namespace fs = std::filesystem;

class FileTest : public testing::Test {
 protected:
  static unsigned Mode(const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::stat(path.c_str(), &status), 0);
    return status.st_mode & 0777;
  }

  const TemporaryFolder temporary_;
  const fs::path folder_ = temporary_.path();
  PosixFileSystem files_;
};

TEST_F(FileTest, ReadsWhatWasWritten) {
  const auto file = files_.Create(folder_ / "a");
  ASSERT_TRUE(file.has_value());
  ASSERT_TRUE((*file)->WriteAt(0, AsBytes("hello")).has_value());
  ASSERT_TRUE((*file)->WriteAt(5, AsBytes(" world")).has_value());
  ASSERT_TRUE((*file)->Sync().has_value());
  EXPECT_EQ(*(*file)->Size(), 11u);

  const auto reader = files_.OpenForRead(folder_ / "a");
  std::string text(20, '-');
  EXPECT_EQ(*(*reader)->ReadAt(6, std::as_writable_bytes(std::span(text))), 5u);
  EXPECT_EQ(text.substr(0, 5), "world");
  EXPECT_EQ((*reader)->ReadCachedAt(0, std::as_writable_bytes(std::span(text).first(5))), 5u);
}

// Page-aligned memory with content.
class AlignedText {
 public:
  explicit AlignedText(size_t size) : memory_(size + 2 * kDirectBytes, '-') {
    const auto address = reinterpret_cast<uintptr_t>(memory_.data());
    begin_ = (kDirectBytes - address % kDirectBytes) % kDirectBytes;
    for (size_t i = 0; i < memory_.size(); ++i) memory_[i] = static_cast<char>(i * 31 + i / 4096);
  }
  std::string_view From(size_t offset, size_t size) const {
    return std::string_view(memory_).substr(begin_ + offset, size);
  }

 private:
  std::string memory_;
  size_t begin_ = 0;
};

// Ends inside a page, unaligned memory, small writes between large ones.
TEST_F(FileTest, WritesThatBypassTheCacheAreRead) {
  constexpr size_t kLarge = 1 << 20;
  const AlignedText text(8 * kLarge);
  const auto file = files_.Create(folder_ / "a");
  (*file)->BypassCache();
  uint64_t offset = 0;
  std::string written;
  for (const size_t size : {kLarge, size_t{1}, kLarge, kLarge - 1, size_t{4095}, kLarge + 4097,
                            size_t{100}, kLarge * 2}) {
    for (const size_t shift : {size_t{0}, size_t{9}}) {
      const std::string_view piece = text.From(offset % kDirectBytes + shift, size);
      ASSERT_TRUE((*file)->WriteAt(offset, AsBytes(piece)).has_value());
      written += piece;
      offset += size;
      std::string read(written.size(), '-');
      EXPECT_EQ(*(*file)->ReadAt(0, std::as_writable_bytes(std::span(read))), written.size());
      EXPECT_TRUE(read == written) << size << " bytes from " << offset - size;
    }
  }
  EXPECT_EQ(*(*file)->Size(), written.size());
  ASSERT_TRUE((*file)->Sync().has_value());
}

TEST_F(FileTest, LargeWritesBypassTheCache) {
  const int probe = ::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_DIRECT, 0600);
  if (probe < 0) GTEST_SKIP() << "the file system of " << folder_ << " does not support O_DIRECT";
  ::close(probe);
  const AlignedText text(1 << 20);
  const Bytes bytes = AsBytes(text.From(0, 1 << 20));
  std::string read(4096, '-');
  const MutableBytes buffer = std::as_writable_bytes(std::span(read));
  for (const bool cached : {true, false}) {
    const auto file = files_.Create(folder_ / (cached ? "cached" : "direct"));
    if (!cached) (*file)->BypassCache();
    ASSERT_TRUE((*file)->WriteAt(0, bytes).has_value());
    if (cached && (*file)->ReadCachedAt(0, buffer) == 0)
      GTEST_SKIP() << "the file system has no page cache";
    EXPECT_EQ((*file)->ReadCachedAt(1 << 19, buffer), cached ? buffer.size() : 0);
  }
}

TEST_F(FileTest, CreateFailsIfTheFileExists) {
  ASSERT_TRUE(files_.Create(folder_ / "a").has_value());
  const auto again = files_.Create(folder_ / "a");
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().message, "creating " + (folder_ / "a").native() + ": File exists");
}

TEST_F(FileTest, AMissingFileIsNotFound) {
  EXPECT_EQ(files_.OpenForRead(folder_ / "none").error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(files_.Remove(folder_ / "none").has_value());
}

TEST_F(FileTest, FilesAndFoldersArePrivate) {
  ASSERT_TRUE(files_.CreateDirectories(folder_ / "x/y/z").has_value());
  ASSERT_TRUE(files_.CreateDirectories(folder_ / "x/y/z").has_value());
  ASSERT_TRUE(files_.Create(folder_ / "x/y/z/f").has_value());
  EXPECT_EQ(Mode(folder_ / "x/y"), 0700u);
  EXPECT_EQ(Mode(folder_ / "x/y/z/f"), 0600u);
}

TEST_F(FileTest, AFileInTheWayOfAFolderIsNamed) {
  ASSERT_TRUE(files_.Create(folder_ / "x").has_value());
  const auto made = files_.CreateDirectories(folder_ / "x/y");
  ASSERT_FALSE(made.has_value());
  EXPECT_NE(made.error().message.find((folder_ / "x/y").native()), std::string::npos);
}

TEST_F(FileTest, AFolderThatAllowsNoNewNamesIsAnError) {
  EXPECT_FALSE(files_.CreateDirectories("/proc/outport/data").has_value());
}

TEST_F(FileTest, ReplaceFileWritesTheNewContent) {
  const fs::path path = folder_ / "config";
  ASSERT_TRUE(ReplaceFile(path, "one", 0644).has_value());
  ASSERT_TRUE(ReplaceFile(path, "two").has_value());
  EXPECT_EQ(*ReadWholeFile(path), "two");
  EXPECT_EQ(Mode(path), 0600u);
  EXPECT_EQ(files_.List(folder_)->size(), 1u) << "the temporary file is removed";
}

TEST_F(FileTest, ReadWholeFileHasALimit) {
  ASSERT_TRUE(ReplaceFile(folder_ / "big", std::string(100, 'x')).has_value());
  EXPECT_TRUE(ReadWholeFile(folder_ / "big", 100).has_value());
  EXPECT_EQ(ReadWholeFile(folder_ / "big", 99).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(FileTest, OneProcessLocksAFolder) {
  {
    const auto lock = FolderLock::Acquire(folder_);
    ASSERT_TRUE(lock.has_value());
    const auto second = FolderLock::Acquire(folder_);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::kFailedPrecondition);
    EXPECT_NE(second.error().message.find(folder_.native()), std::string::npos);
    EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  }
  EXPECT_TRUE(FolderLock::Acquire(folder_).has_value()) << "the destructor released the lock";
}

TEST(ReadWholeFile, AFolderIsNamed) {
  const auto read = ReadWholeFile("/proc");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().message, "/proc is a folder; name a file");
}

TEST(CheckReplaceable, FindsTheErrorsOfReplaceFile) {
  for (const char* path : {"/nonexistent/x.yml", "/proc/x.yml", "/proc"}) {
    const auto possible = CheckReplaceable(path);
    ASSERT_FALSE(possible.has_value()) << path;
    EXPECT_TRUE(possible.error().message.starts_with(std::string(path) + " cannot be written"))
        << possible.error().message;
  }
  const TemporaryFolder folder;
  const fs::path file = folder.path() / "x.yml";
  EXPECT_TRUE(CheckReplaceable(file).has_value());
  EXPECT_FALSE(std::filesystem::exists(file)) << "the check leaves no file";
  ASSERT_TRUE(ReplaceFile(file, "kept").has_value());
  EXPECT_TRUE(CheckReplaceable(file).has_value());
  EXPECT_EQ(*ReadWholeFile(file), "kept");
}

}  // namespace
}  // namespace outport
