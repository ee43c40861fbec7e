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
  // Changes the user's row as an administrator.
  void Set(const std::string& name, void (*change)(v1::UserRow& row)) {
    auto edit = [change](v1::UserRow& row) -> Result<void> {
      change(row);
      return {};
    };
    const auto updated = fleet_.users.Update(name, edit, "user.change", kAdmin);
    ASSERT_TRUE(updated.has_value()) << updated.error().message;
  }
  // The names of all users. Those of absent users begin with '-'.
  std::vector<std::string> Listed() {
    std::vector<std::string> names;
    for (const v1::UserRow& row : fleet_.users.ListWithAbsent("", 100)->rows) {
      names.push_back((row.absent_ms() != 0 ? "-" : "") + row.name());
    }
    return names;
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
  Write("ann:" + one_ + "\n");
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

TEST_F(HtpasswdUsersTest, AFileWithoutAUserChangesNothing) {
  Write("# none yet\n");
  ASSERT_TRUE(users_.Follow().has_value()) << "a new file may be empty";
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  for (const char* text : {"", "\n# all gone\n"}) {
    Write(text);
    const auto refused = users_.Follow();
    ASSERT_FALSE(refused.has_value());
    EXPECT_NE(refused.error().message.find("has no user"), std::string::npos);
    EXPECT_TRUE(Enters("ann", "one"));
    EXPECT_TRUE(Enters("bob", "one"));
  }
}

TEST_F(HtpasswdUsersTest, ALineThatReturnsBringsTheSettingsBack) {
  Write("ann:" + one_ + "\nbob:" + one_ + "\neve:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  Set("ann", [](v1::UserRow& row) { row.set_disabled(true); });
  Set("bob", [](v1::UserRow& row) { row.add_only_from("ci-*"); });
  Write("eve:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_EQ(directory_.Find("ann"), nullptr) << "who is taken out is out at once";
  EXPECT_EQ(directory_.Find("bob"), nullptr);
  EXPECT_EQ(Listed(), (std::vector<std::string>{"-ann", "-bob", "eve"}));
  Set("bob", [](v1::UserRow& row) { row.set_expires_ms(1); });  // while the user is absent
  EXPECT_EQ(directory_.Find("bob"), nullptr);
  Write("ann:" + two_ + "\nbob:" + one_ + "\neve:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_EQ(Listed(), (std::vector<std::string>{"ann", "bob", "eve"}));
  EXPECT_TRUE(Enters("ann", "two"));
  EXPECT_TRUE(directory_.Find("ann")->disabled);
  EXPECT_EQ(directory_.Find("bob")->only_from, std::vector<std::string>{"ci-*"});
  EXPECT_TRUE(directory_.Find("bob")->expires.has_value());
}

TEST_F(HtpasswdUsersTest, AnAbsentUserIsRemovedForGood) {
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  Set("ann", [](v1::UserRow& row) { row.set_disabled(true); });
  Write("bob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  const auto removed = fleet_.users.Remove("ann", kAdmin);
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_EQ(Listed(), std::vector<std::string>{"bob"});
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_FALSE(directory_.Find("ann")->disabled) << "a new user";
}

TEST_F(HtpasswdUsersTest, ANewUserOfTheFleetReplacesAnAbsentOne) {
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  Write("bob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  ASSERT_TRUE(fleet_.users.Add(UserNamed("ann", "own"), kAdmin).has_value());
  EXPECT_EQ(Listed(), (std::vector<std::string>{"ann", "bob"}));
  Write("ann:" + one_ + "\nbob:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_TRUE(Enters("ann", "own"));
}

TEST_F(HtpasswdUsersTest, AbsentUsersWithoutSettingsAreBounded) {
  HtpasswdUsers bounded({.users = fleet_.users,
                         .pool = pool_,
                         .metrics = metrics_,
                         .log = Log::Nowhere(),
                         .file = file_,
                         .group = "office",
                         .max_absent = 1});
  Write("ann:" + one_ + "\nbob:" + one_ + "\ncid:" + one_ + "\neve:" + one_ + "\n");
  ASSERT_TRUE(bounded.Follow().has_value());
  Set("cid", [](v1::UserRow& row) { row.set_disabled(true); });
  Write("eve:" + one_ + "\n");
  ASSERT_TRUE(bounded.Follow().has_value());
  EXPECT_EQ(Listed(), (std::vector<std::string>{"-ann", "-cid", "eve"}));
}

TEST_F(HtpasswdUsersTest, ListsAbsentUsersInPages) {
  Write("ann:" + one_ + "\nbob:" + one_ + "\ncid:" + one_ + "\neve:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  Write("bob:" + one_ + "\neve:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  std::string names;
  std::string after;
  do {
    const auto page = *fleet_.users.ListWithAbsent(after, 1);
    ASSERT_EQ(page.rows.size(), 1U);
    names += page.rows[0].name() + " ";
    after = page.next;
  } while (!after.empty());
  EXPECT_EQ(names, "ann bob cid eve ");
  EXPECT_EQ(fleet_.users.List("", 10)->rows.size(), 2U);
}

TEST_F(HtpasswdUsersTest, AtStartABadFileLeavesItsUsersInForce) {
  Write("ann:$apr1$x$y\n");
  EXPECT_FALSE(Users(file_).FollowAtStart().has_value()) << "no earlier users";
  Write("ann:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  EXPECT_EQ(users_.Warning(), std::nullopt);
  for (const char* text : {"", "ann:$apr1$x$y\n"}) {
    Write(text);
    HtpasswdUsers restarted(Users(file_));
    EXPECT_TRUE(restarted.FollowAtStart().has_value());
    EXPECT_TRUE(Enters("ann", "one"));
    ASSERT_TRUE(restarted.Warning().has_value());
    EXPECT_NE(restarted.Warning()->find(file_.native()), std::string::npos);
  }
}

TEST_F(HtpasswdUsersTest, WithoutAFileItsUsersAreRemoved) {
  Write("ann:" + one_ + "\n");
  ASSERT_TRUE(users_.Follow().has_value());
  ASSERT_TRUE(Users({}).Follow().has_value());
  EXPECT_EQ(directory_.Find("ann"), nullptr);
}

}  // namespace
}  // namespace outport::store
