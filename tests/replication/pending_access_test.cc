#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "tests/replication/test_node.h"

namespace outport {
namespace {

// A store that cannot write a removal for a while.
class PendingAccessTest : public FleetTest {
 protected:
  void RemoveLater(const std::string& name) {
    auto write = [this, name]() -> Result<uint64_t> {
      if (full_) return Error{ErrorCode::kNoSpace, "the disk is full"};
      if (moot_) return Error{ErrorCode::kNotFound, "there is no such user"};
      v1::Change removed;
      removed.mutable_user_deleted()->set_name(name);
      store_->Publish({removed});
      return store_->Head().sequence;
    };
    auto narrow = [&name]() -> Result<std::optional<store::PendingAccess::Change>> {
      return store::PendingAccess::Change{
          .action = "user.remove",
          .rows = {{keys::User(name), [](const auto&) { return std::nullopt; }}},
          .follow = [] {}};
    };
    ASSERT_EQ(store_->access().pending().Commit(std::move(write), narrow), 0u);
  }

  std::atomic<bool> full_ = true;
  std::atomic<bool> moot_ = false;
};

TEST_F(PendingAccessTest, I6NodesApplyWhatTheStoreCannotWriteYet) {
  for (const char* user : {"anna", "berta"}) store_->PublishUser(user);
  const auto node = JoinNode();
  ASSERT_NE(node->users.Find("anna"), nullptr);
  RemoveLater("anna");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }));
  EXPECT_NE(node->users.Find("berta"), nullptr);

  // A commit that began earlier changes the row meanwhile.
  store_->PublishUser("anna");
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_EQ(node->users.Find("anna"), nullptr);
  EXPECT_EQ(node->Count("outport_node_sync_attempts_total"), 1);
}

TEST_F(PendingAccessTest, ANodeThatConnectsLaterAppliesItToo) {
  store_->PublishUser("anna");
  RemoveLater("anna");
  const auto node = JoinNode();
  EXPECT_EQ(node->users.Find("anna"), nullptr);
}

TEST_F(PendingAccessTest, TheLogReplacesWhatWasPending) {
  store_->PublishUser("anna");
  const auto node = JoinNode();
  RemoveLater("anna");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }));
  full_ = false;
  ASSERT_TRUE(store_->access().pending().Settle().has_value());
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_EQ(node->users.Find("anna"), nullptr);
  // The list is empty now, so a later change of the user is in force.
  EXPECT_TRUE(Eventually([&] {
    store_->PublishUser("anna");
    return node->users.Find("anna") != nullptr;
  }));
}

TEST_F(PendingAccessTest, AChangeThatIsDroppedEndsAtTheNodesToo) {
  store_->PublishUser("anna");
  const auto node = JoinNode();
  RemoveLater("anna");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }));
  full_ = false;
  moot_ = true;
  static_cast<void>(store_->access().pending().Settle());
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") != nullptr; }));
}

TEST_F(PendingAccessTest, ALaterChangeOfTheLogIsNotUndone) {
  store_->PublishUser("anna");
  const auto node = JoinNode();
  RemoveLater("anna");
  EXPECT_TRUE(Eventually([&] { return node->users.Find("anna") == nullptr; }));
  full_ = false;
  ASSERT_TRUE(store_->access().pending().Settle().has_value());
  store_->PublishUser("anna");  // before the node has the empty list
  EXPECT_TRUE(Eventually([&] { return node->HasReached(*store_); }));
  EXPECT_NE(node->users.Find("anna"), nullptr);
}

}  // namespace
}  // namespace outport
