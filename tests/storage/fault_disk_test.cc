#include "tests/support/fault_disk.h"

#include <gtest/gtest.h>

#include "registry/base/file.h"
#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

class FaultDiskTest : public testing::Test {
 protected:
  std::unique_ptr<File> Create(const std::string& name, std::string_view content = "") {
    auto file = disk_.files().Create(path(name));
    EXPECT_TRUE(file.has_value());
    EXPECT_TRUE((*file)->WriteAt(0, AsBytes(content)).has_value());
    return *std::move(file);
  }
  std::string Read(const std::string& name) {
    auto content = ReadWholeFile(path(name));
    return content.value_or("(none)");
  }
  std::filesystem::path path(const std::string& name) const { return folder_.path() / name; }

  const TemporaryFolder folder_;
  FaultDisk disk_{folder_.path()};
};

TEST_F(FaultDiskTest, DropsBytesAndNamesThatAreNotSynced) {
  ASSERT_TRUE(Create("bytes", "kept")->Sync().has_value());
  {
    const auto file = Create("tail", "kept");
    ASSERT_TRUE(file->Sync().has_value());
    ASSERT_TRUE(file->WriteAt(4, AsBytes("lost")).has_value());
  }
  Create("no-bytes", "lost");
  ASSERT_TRUE(disk_.files().SyncDirectory(folder_.path()).has_value());
  ASSERT_TRUE(Create("no-name", "lost")->Sync().has_value());
  EXPECT_EQ(Read("tail"), "keptlost");
  disk_.DropUnsynced();
  EXPECT_EQ(Read("bytes"), "kept");
  EXPECT_EQ(Read("tail"), "kept");
  EXPECT_EQ(Read("no-bytes"), "");
  EXPECT_EQ(Read("no-name"), "(none)");
}

TEST_F(FaultDiskTest, UndoesRenamesAndRemovalsThatAreNotSynced) {
  ASSERT_TRUE(Create("a", "a")->Sync().has_value());
  ASSERT_TRUE(Create("b", "b")->Sync().has_value());
  ASSERT_TRUE(disk_.files().SyncDirectory(folder_.path()).has_value());
  ASSERT_TRUE(disk_.files().Rename(path("a"), path("c")).has_value());
  ASSERT_TRUE(disk_.files().Remove(path("b")).has_value());
  EXPECT_EQ(Read("a") + Read("b") + Read("c"), "(none)(none)a");
  disk_.DropUnsynced();
  EXPECT_EQ(Read("a") + Read("b") + Read("c"), "ab(none)");
}

TEST_F(FaultDiskTest, LosesWhatIsInAFolderWhoseNameIsNotSynced) {
  disk_.IgnoreSyncs([&](const FaultPoint& point) { return point.path == folder_.path(); });
  ASSERT_TRUE(disk_.files().CreateDirectories(path("x/y")).has_value());
  ASSERT_TRUE(Create("x/y/file", "lost")->Sync().has_value());
  ASSERT_TRUE(disk_.files().SyncDirectory(path("x/y")).has_value());
  disk_.DropUnsynced();
  EXPECT_FALSE(std::filesystem::exists(path("x")));
}

TEST_F(FaultDiskTest, TearsWhatIsWrittenAndNotSynced) {
  {
    const auto file = Create("file", "1234");
    ASSERT_TRUE(file->Sync().has_value());
    ASSERT_TRUE(file->WriteAt(4, AsBytes("5678")).has_value());
  }
  disk_.DropUnsynced(Loss::kTornFiles);
  EXPECT_EQ(Read("file"), "123456");
}

TEST_F(FaultDiskTest, FailsFromTheCutOnUntilThePowerIsBack) {
  const auto file = Create("file");
  disk_.CutAt(2);
  EXPECT_TRUE(file->WriteAt(0, AsBytes("x")).has_value());
  EXPECT_FALSE(disk_.is_cut());
  EXPECT_FALSE(file->Sync().has_value());
  EXPECT_TRUE(disk_.is_cut());
  EXPECT_FALSE(file->WriteAt(0, AsBytes("y")).has_value());
  EXPECT_FALSE(disk_.files().Create(path("other")).has_value());
  disk_.DropUnsynced();
  EXPECT_FALSE(file->WriteAt(0, AsBytes("y")).has_value());  // opened before the power cut
  EXPECT_TRUE(disk_.files().Create(path("other")).has_value());
}

TEST_F(FaultDiskTest, ARestartLosesNothingAndMakesNothingDurable) {
  Create("file", "content");
  disk_.Restart();
  EXPECT_EQ(Read("file"), "content");
  disk_.DropUnsynced();
  EXPECT_EQ(Read("file"), "(none)");
}

TEST_F(FaultDiskTest, IgnoresOneSyncAlone) {
  disk_.IgnoreSync(2);
  for (const char* name : {"1", "2", "3"}) EXPECT_TRUE(Create(name, "x")->Sync().has_value());
  EXPECT_EQ(disk_.ignored(), 1u);
  disk_.files().SyncDirectory(folder_.path()).value();
  disk_.DropUnsynced();
  EXPECT_EQ(Read("1") + "," + Read("2") + "," + Read("3"), "x,,x");
}

}  // namespace
}  // namespace outport
