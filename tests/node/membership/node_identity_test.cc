#include "node/membership/node_identity.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/temporary_folder.h"

namespace outport::node {
namespace {

namespace fs = std::filesystem;

// A loop of symbolic links fails like a folder without permission, also for root.
TEST(NodeIdentityTest, TellsAFolderThatItCannotReadFromOneThatHasNotJoined) {
  const TemporaryFolder folder;
  const auto none = LoadNodeIdentity(folder.path());
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().message.find("has not joined a fleet"), std::string::npos);
  fs::create_symlink("pki", folder.path() / "pki");
  const auto unreadable = LoadNodeIdentity(folder.path());
  ASSERT_FALSE(unreadable.has_value());
  EXPECT_TRUE(unreadable.error().message.starts_with("cannot read the data folder " +
                                                     folder.path().native()))
      << unreadable.error().message;
}

}  // namespace
}  // namespace outport::node
