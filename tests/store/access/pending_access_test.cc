#include "store/access/pending_access.h"

#include "registry/records/access_records.h"
#include "registry/records/keys.h"
#include "registry/records/rows.h"
#include "tests/store/fleet/fleet_fixture.h"
#include "tests/support/full_meta_store.h"

namespace outport::store {
namespace {

// A fleet whose store cannot write while its disk is full.
class PendingAccessTest : public FleetFixture {
 protected:
  PendingAccessTest() {
    EXPECT_TRUE(full_fleet_.users.Add(UserNamed("ann"), kAdmin).has_value());
    EXPECT_TRUE(full_fleet_.users.Add(UserNamed("bob"), kAdmin).has_value());
  }

  Result<uint64_t> SetDisabled(const std::string& name, bool disabled) {
    auto edit = [disabled](v1::UserRow& row) -> Result<void> {
      row.set_disabled(disabled);
      return {};
    };
    return full_fleet_.users.Update(name, edit, disabled ? "user.disable" : "user.enable", kAdmin);
  }
  bool MayLogIn(const std::string& name) const {
    const auto user = directory_.Find(name);
    return user != nullptr && CheckMayLogIn(*user, {}, clock_.Wall()).has_value();
  }
  v1::UserRow StoredUser(const std::string& name) const {
    return (*ReadRow<v1::UserRow>(*meta_, keys::User(name))).value_or(v1::UserRow());
  }
  PendingAccess& pending() { return full_fleet_.follower.pending(); }

  FullMetaStore full_meta_{*meta_};
  Fleet full_fleet_{{.meta = full_meta_,
                     .directory = directory_,
                     .clock = clock_,
                     .log = Log::Nowhere(),
                     .authority = files_.authority,
                     .fleet_address = "127.0.0.1:5001"}};
};

TEST_F(PendingAccessTest, I6ADisabledUserIsOutAtOnceAndDurableWithSpace) {
  full_meta_.full = true;
  EXPECT_EQ(SetDisabled("ann", true), 0u);
  EXPECT_FALSE(MayLogIn("ann"));
  EXPECT_TRUE(MayLogIn("bob"));
  EXPECT_FALSE(StoredUser("ann").disabled());
  EXPECT_EQ(pending().Count(), 1u);
  EXPECT_TRUE(pending().Warning()->starts_with("1 change of access in force, but not yet durable"));
  EXPECT_FALSE(pending().Settle().has_value());
  EXPECT_EQ(pending().Count(), 1u);

  full_meta_.full = false;
  ASSERT_TRUE(pending().Settle().has_value());
  EXPECT_TRUE(StoredUser("ann").disabled());
  EXPECT_FALSE(MayLogIn("ann"));
  EXPECT_EQ(pending().Count(), 0u);
  EXPECT_EQ(pending().Warning(), std::nullopt);
}

TEST_F(PendingAccessTest, ARowThatChangesMeanwhileUndoesNothing) {
  full_meta_.full = true;
  ASSERT_EQ(SetDisabled("ann", true), 0u);
  // As a commit that began before the disk was full would do.
  const auto transaction = meta_->Begin();
  v1::UserRow row = StoredUser("ann");
  row.add_groups("ops");
  ASSERT_TRUE(WriteRow(*transaction, keys::User("ann"), row).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  ASSERT_TRUE(full_fleet_.follower.Follow(keys::User("ann")).has_value());
  EXPECT_FALSE(MayLogIn("ann"));
  EXPECT_EQ(directory_.Find("ann")->groups, std::vector<std::string>{"ops"});
}

TEST_F(PendingAccessTest, OnlyWhatTakesAccessAwayIsPending) {
  ASSERT_TRUE(SetDisabled("bob", true).has_value());
  full_meta_.full = true;
  const auto enabled = SetDisabled("bob", false);
  ASSERT_FALSE(enabled.has_value());
  EXPECT_EQ(enabled.error().code, ErrorCode::kNoSpace);
  EXPECT_FALSE(full_fleet_.users.Add(UserNamed("eve"), kAdmin).has_value());
  const Subject group{SubjectKind::kGroup, "ops"};
  EXPECT_FALSE(full_fleet_.grants.Add(group, *ParseGrant("pull:a/*"), kAdmin).has_value());
  EXPECT_FALSE(full_fleet_.users.Remove("nobody", kAdmin).has_value());
  EXPECT_EQ(pending().Count(), 0u);
}

TEST_F(PendingAccessTest, LaterChangesComeAfterThePendingOnes) {
  full_meta_.full = true;
  ASSERT_EQ(SetDisabled("ann", true), 0u);
  full_meta_.full = false;
  ASSERT_TRUE(SetDisabled("ann", false).has_value());
  EXPECT_EQ(pending().Count(), 0u);
  ASSERT_TRUE(pending().Settle().has_value());
  EXPECT_TRUE(MayLogIn("ann"));
  EXPECT_FALSE(StoredUser("ann").disabled());
}

TEST_F(PendingAccessTest, RemovalsAndGrantsArePending) {
  const Subject group{SubjectKind::kGroup, "ops"};
  const Grant pull = *ParseGrant("pull:a/*");
  ASSERT_TRUE(full_fleet_.grants.Add(group, pull, kAdmin).has_value());
  full_meta_.full = true;
  EXPECT_EQ(full_fleet_.users.Remove("ann", kAdmin), 0u);
  EXPECT_EQ(full_fleet_.grants.Remove(group, pull, kAdmin), 0u);
  const Subject bob{SubjectKind::kUser, "bob"};
  EXPECT_EQ(full_fleet_.grants.Remove(bob, *ParseGrant("pull"), kAdmin), 0u);
  EXPECT_EQ(directory_.Find("ann"), nullptr);
  EXPECT_FALSE(directory_.HasGrants(group));
  EXPECT_TRUE(directory_.Find("bob")->grants.empty());
  const auto again = full_fleet_.users.Remove("ann", kAdmin);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(full_fleet_.follower.ChangesOf(full_fleet_.follower.pending().Keys())->size(), 3u);

  full_meta_.full = false;
  ASSERT_TRUE(pending().Settle().has_value());
  EXPECT_EQ(StoredUser("ann").name(), "");
  EXPECT_TRUE(StoredUser("bob").grants().empty());
  EXPECT_FALSE(*HasRow(*meta_, keys::GrantsOf(ToString(group))));
}

TEST_F(PendingAccessTest, ARevocationIsPending) {
  const auto issued = *full_fleet_.certificates.Issue(
      Role::kClient, "ci", *pki::CreateRequest(pki::CreatePrivateKey()), 1, kAdmin);
  const CertificateIdentity identity = *pki::Inspect(issued.chain);
  full_meta_.full = true;
  const auto revoked = full_fleet_.certificates.Revoke(issued.row.serial(), {}, kAdmin);
  ASSERT_TRUE(revoked.has_value()) << revoked.error().message;
  EXPECT_EQ(revoked->sequence, 0u);
  EXPECT_TRUE(directory_.IsRevoked(identity));
  full_meta_.full = false;
  ASSERT_TRUE(pending().Settle().has_value());
  const auto info = full_fleet_.certificates.Find(issued.row.serial());
  EXPECT_TRUE(info->has_revocation());
}

TEST_F(PendingAccessTest, ANodeIsLimitedAndRemovedAtOnce) {
  v1::NodeRow row;
  row.set_name("eu-west");
  const auto transaction = meta_->Begin();
  ASSERT_TRUE(WriteRow(*transaction, keys::Node("eu-west"), row).has_value());
  ASSERT_TRUE(transaction->Commit().has_value());
  ASSERT_TRUE(full_fleet_.member_directory.Follow("eu-west").has_value());
  const RepositoryName other = *RepositoryName::Parse("other/app");
  full_meta_.full = true;
  const auto limited = full_fleet_.members.Allow("eu-west", {*ParseGrant("pull:team/*")}, kAdmin);
  ASSERT_TRUE(limited.has_value()) << limited.error().message;
  EXPECT_EQ(limited->allow_size(), 1);
  const auto permissions = full_fleet_.member_directory.Require("eu-west");
  EXPECT_FALSE((*permissions)->Allows(Action::kPull, other));
  EXPECT_FALSE(full_fleet_.members.Allow("eu-west", {*ParseGrant("pull")}, kAdmin).has_value())
      << "a wider permission is not in force before it is durable";

  EXPECT_EQ(full_fleet_.members.Remove("eu-west", kAdmin), 0u);
  EXPECT_FALSE(full_fleet_.member_directory.Require("eu-west").has_value());
  full_meta_.full = false;
  ASSERT_TRUE(pending().Settle().has_value());
  EXPECT_FALSE(*HasRow(*meta_, keys::Node("eu-west")));
}

// Locks are contended, or a row cannot be read.
TEST_F(PendingAccessTest, AnErrorThatMayPassReadmitsNobody) {
  for (const ErrorCode code : {ErrorCode::kDeadlineExceeded, ErrorCode::kInternal}) {
    full_meta_.full = true;
    ASSERT_EQ(SetDisabled("ann", true), 0u);
    full_meta_.full = false;
    full_meta_.failure = code;
    EXPECT_FALSE(pending().Settle().has_value());
    EXPECT_EQ(pending().Count(), 1u);
    EXPECT_FALSE(MayLogIn("ann"));
    EXPECT_EQ(SetDisabled("bob", true), 0u) << "comes after the change that stays";
    EXPECT_FALSE(MayLogIn("bob"));
    full_meta_.failure.reset();
    ASSERT_TRUE(SetDisabled("ann", false).has_value());
    ASSERT_TRUE(SetDisabled("bob", false).has_value());
  }
}

TEST_F(PendingAccessTest, AChangeThatBecameImpossibleIsDropped) {
  full_meta_.full = true;
  ASSERT_EQ(SetDisabled("ann", true), 0u);
  full_meta_.full = false;
  ASSERT_TRUE(full_fleet_.users.Remove("ann", Actor::Store()).has_value());
  EXPECT_TRUE(pending().Settle().has_value());
  EXPECT_EQ(pending().Count(), 0u);
}

TEST_F(PendingAccessTest, AUserWhoIsAddedDuringTheWriteIsThere) {
  const std::string key = keys::User("ann");
  full_meta_.full = true;
  // Another thread adds the user again after the removal, while the removal is still in the list.
  auto write = [this]() -> Result<uint64_t> {
    TRY_VOID(full_fleet_.users.Remove("ann", Actor::Store()));
    return full_fleet_.users.Add(UserNamed("ann"), kAdmin);
  };
  auto narrow = [&]() -> Result<std::optional<PendingAccess::Change>> {
    return PendingAccess::Change{
        .action = "user.remove",
        .rows = {{key, [](const auto&) { return std::nullopt; }}},
        .follow = [this, key] { static_cast<void>(full_fleet_.follower.Follow(key)); }};
  };
  ASSERT_EQ(pending().Commit(write, narrow), 0u);
  EXPECT_EQ(directory_.Find("ann"), nullptr);
  full_meta_.full = false;
  ASSERT_TRUE(pending().Settle().has_value());
  EXPECT_TRUE(MayLogIn("ann"));
}

TEST_F(PendingAccessTest, AChangeOfAnAbsentUserNeedsSpace) {
  ASSERT_TRUE(full_fleet_.users.SetAbsent("ann").has_value());
  full_meta_.full = true;
  const auto disabled = SetDisabled("ann", true);
  ASSERT_FALSE(disabled.has_value());
  EXPECT_EQ(disabled.error().code, ErrorCode::kNoSpace);
  const auto removed = full_fleet_.users.Remove("ann", kAdmin);
  ASSERT_FALSE(removed.has_value());
  EXPECT_EQ(removed.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(pending().Count(), 0u);
}

// All transactions lock the two rows of a user in one order.
TEST_F(PendingAccessTest, AReturnLocksTheUserBeforeTheAbsentUser) {
  ASSERT_TRUE(full_fleet_.users.SetAbsent("ann").has_value());
  std::vector<std::string> locks;
  full_meta_.on_lock = [&locks](std::string_view key) { locks.emplace_back(key); };
  ASSERT_TRUE(full_fleet_.users.Return("ann", UserNamed("ann").password_hash(), "f").has_value());
  EXPECT_EQ(locks, (std::vector{keys::User("ann"), keys::AbsentUser("ann")}));
}

TEST(PendingAccess, TheEndLogsWhatIsLost) {
  testing::internal::CaptureStderr();
  {
    bool full = true;
    PendingAccess pending(Log::ToStandardError(LogLevel::kInfo));
    auto write = [&full]() -> Result<uint64_t> {
      if (full) return Error{ErrorCode::kNoSpace, "the disk is full"};
      return uint64_t{1};
    };
    auto narrow = []() -> Result<std::optional<PendingAccess::Change>> {
      return PendingAccess::Change{.action = "user.disable", .rows = {}, .follow = [] {}};
    };
    for (int i = 0; i < 3; ++i) ASSERT_EQ(pending.Commit(write, narrow), 0u);
    pending.SettleAtEnd();
    EXPECT_EQ(pending.Count(), 3u);
    full = false;
    pending.SettleAtEnd();
    EXPECT_EQ(pending.Count(), 0u);
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const std::string event = "\"event\":\"access changes lost at stop\"";
  const size_t logged = log.find(event);
  ASSERT_NE(logged, std::string::npos) << log;
  EXPECT_TRUE(log.substr(logged).contains("\"count\":3")) << log;
  EXPECT_EQ(log.find(event, logged + 1), std::string::npos) << log;
}

TEST_F(PendingAccessTest, TheListIsBounded) {
  full_meta_.full = true;
  for (size_t i = 0; i < PendingAccess::kMaxChanges; ++i) {
    ASSERT_EQ(SetDisabled("ann", true), 0u);
  }
  const auto more = SetDisabled("bob", true);
  ASSERT_FALSE(more.has_value());
  EXPECT_EQ(more.error().code, ErrorCode::kNoSpace);
  EXPECT_EQ(pending().Count(), PendingAccess::kMaxChanges);
}

}  // namespace
}  // namespace outport::store
