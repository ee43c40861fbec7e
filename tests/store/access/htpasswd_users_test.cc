#include "store/access/htpasswd_users.h"

#include "tests/store/fleet/fleet_fixture.h"

namespace outport::store {
namespace {

class HtpasswdUsersTest : public FleetFixture {
 protected:
  void Write(const std::string& text) { ASSERT_TRUE(ReplaceFile(file_, text, 0600).has_value()); }
  HtpasswdUsers Users(const std::filesystem::path& file) {
    return HtpasswdUsers({.users = fleet_.users,
                          .pool = pool_,
                          .metrics = metrics_,
                          .log = Log::Nowhere(),
                          .file = file,
                          .group = "office"});
  }
  bool Enters(const std::string& name, const std::string& password) {
    const auto user = directory_.Find(name);
    return user != nullptr && VerifyPassword(password, user->password_hash);
  }

  const std::filesystem::path file_ = folder_.path() / "htpasswd";
  BlockingPool pool_{"disk", 1, 10};
  Metrics metrics_;
  HtpasswdUsers users_{Users(file_)};
  const std::string one_ = *HashPassword("one", 4);
  const std::string two_ = *HashPassword("two", 4);
};

TEST_F(HtpasswdUsersTest, FollowsTheFile) {
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "one"));
  EXPECT_EQ(directory_.Find("bob")->groups, std::vector<std::string>{"office"});
  Write("ann:" + two_ + "\neve:" + two_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "two"));
  EXPECT_TRUE(Enters("eve", "two"));
  EXPECT_EQ(directory_.Find("bob"), nullptr);
  const LogPosition head = *meta_->Head();
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_EQ(meta_->Head()->sequence, head.sequence) << "the file has not changed";
}

TEST_F(HtpasswdUsersTest, SettingsOfAnAdministratorRemain) {
  Write("ann:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  auto disable = [](v1::UserRow& row) -> Result<void> {
    row.set_disabled(true);
    return {};
  };
  ASSERT_TRUE(fleet_.users.Update("ann", disable, "user.disable", kAdmin).has_value());
  Write("ann:" + two_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(directory_.Find("ann")->disabled);
  const auto removed = fleet_.users.Remove("ann", kAdmin);
  ASSERT_FALSE(removed.has_value()) << "the file would add the user again";
  EXPECT_NE(removed.error().message.find(file_.native()), std::string::npos);
}

TEST_F(HtpasswdUsersTest, IgnoresLinesWithNamesOfTheFleetsUsers) {
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ann", "own"), kAdmin).has_value());
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "own"));
  EXPECT_TRUE(Enters("bob", "one"));
  Write("");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "own"));
  EXPECT_EQ(directory_.Find("bob"), nullptr);
}

TEST_F(HtpasswdUsersTest, IgnoresALineWithTheReservedName) {
  Write("anonymous:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_EQ(directory_.Find("anonymous"), nullptr);
  EXPECT_TRUE(Enters("bob", "one"));
}

TEST_F(HtpasswdUsersTest, AFileThatCannotBeReadChangesNothing) {
  Write("ann:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  Write("bob:" + one_ + "\nann:$apr1$x$y\n");
  const auto broken = users_.Follow();
  ASSERT_FALSE(broken.has_value());
  EXPECT_NE(broken.error().message.find("htpasswd: line 2: "), std::string::npos);
  std::filesystem::remove(file_);
  EXPECT_FALSE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "one"));
  EXPECT_EQ(directory_.Find("bob"), nullptr);
}

TEST_F(HtpasswdUsersTest, WithoutAFileItsUsersAreRemoved) {
  Write("ann:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  ASSERT_TRUE(Users({}).Follow().has_value());
  EXPECT_EQ(directory_.Find("ann"), nullptr);
}

}  // namespace
}  // namespace outport::store
