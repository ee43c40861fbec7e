#include "registry/security/grants/node_permissions.h"

#include <gtest/gtest.h>

#include "registry/security/grants/access_directory.h"

namespace outport {
namespace {

RepositoryName Repository(const char* name) { return *RepositoryName::Parse(name); }

NodePermissions Permissions(const std::vector<const char*>& grants) {
  std::vector<Grant> parsed;
  for (const char* grant : grants) parsed.push_back(*ParseGrant(grant));
  return NodePermissions("node 'eu'", std::move(parsed));
}

TEST(NodePermissions, AllowEverythingByDefault) {
  for (const NodePermissions& all : {NodePermissions(), Permissions({})}) {
    for (const Action action : {Action::kPull, Action::kPush, Action::kDelete}) {
      EXPECT_TRUE(all.Allows(action, Repository("team/app")));
    }
    EXPECT_TRUE(all.MayPullSomeOf("a"));
    EXPECT_EQ(all.Scope(), std::vector<std::string>{"**"});
  }
}

TEST(NodePermissions, LimitByPatternAndAction) {
  const NodePermissions eu = Permissions({"pull:team/**", "pull,push:ci/*"});
  EXPECT_TRUE(eu.Allows(Action::kPull, Repository("team/app")));
  EXPECT_FALSE(eu.Allows(Action::kPush, Repository("team/app")));
  EXPECT_FALSE(eu.Allows(Action::kDelete, Repository("team/app")));
  EXPECT_TRUE(eu.Allows(Action::kPush, Repository("ci/tool")));
  EXPECT_TRUE(eu.Allows(Action::kDelete, Repository("ci/tool"))) << "push includes delete";
  EXPECT_FALSE(eu.Allows(Action::kPull, Repository("other/app")));
  EXPECT_FALSE(eu.Allows(Action::kAdmin, Repository("ci/tool")));
  EXPECT_TRUE(eu.MayPullSomeOf("**/app"));
  EXPECT_FALSE(eu.MayPullSomeOf("other/*"));
  const Result<void> denied = eu.Require(Action::kPull, Repository("other/app"));
  ASSERT_FALSE(denied.has_value());
  EXPECT_EQ(denied.error().code, ErrorCode::kDenied);
  EXPECT_TRUE(denied.error().message.contains("node 'eu' may not pull in 'other/app'"));
  EXPECT_TRUE(denied.error().message.contains("pull:team/** pull,push:ci/*"));
}

TEST(NodePermissions, HaveASortedScope) {
  EXPECT_EQ(Permissions({"pull:b/*", "pull:a", "pull,push:b/*"}).Scope(),
            (std::vector<std::string>{"a", "b/*"}));
  EXPECT_EQ(Permissions({"pull:b/*", "pull,push:**"}).Scope(), std::vector<std::string>{"**"});
}

TEST(NodePermissions, ArePullOrPullAndPush) {
  EXPECT_TRUE(CheckNodeGrant(*ParseGrant("pull:team/**")).has_value());
  EXPECT_TRUE(CheckNodeGrant(*ParseGrant("pull,push")).has_value());
  for (const char* bad : {"push:team/**", "pull,delete:team/**", "admin", "pull:team/-"}) {
    const Result<void> checked = CheckNodeGrant(*ParseGrant(bad));
    ASSERT_FALSE(checked.has_value()) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument) << bad;
  }
}

TEST(NodePermissions, OfRowsThatHaveNotArrivedGiveUnavailable) {
  NodePermissions eu = Permissions({"pull,push:team/**", "pull:ci/*"});
  eu.SetReplicated({"team/*"});
  EXPECT_TRUE(eu.Allows(Action::kPull, Repository("team/app")));
  EXPECT_FALSE(eu.Allows(Action::kPull, Repository("ci/tool")));
  EXPECT_EQ(eu.Require(Action::kPull, Repository("ci/tool")).error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(eu.Require(Action::kPull, Repository("x/y")).error().code, ErrorCode::kDenied);
  EXPECT_TRUE(eu.Allows(Action::kPush, Repository("team/a/b"))) << "a push needs no rows here";
}

// A user's rights through a node are the intersection with the node's permissions.
TEST(NodePermissions, LimitTheRightsOfAllCallers) {
  AccessDirectory directory;
  directory.Set({"anna", "", {*ParseGrant("pull,push,delete:**")}});
  const auto anna = directory.Find("anna");
  EXPECT_TRUE(RequireGrant(directory.RightsOf(anna, ""), Action::kPush, Repository("a/b")));
  const uint64_t before = directory.Changed().Version();
  directory.SetNodePermissions(Permissions({"pull:team/**"}));
  EXPECT_GT(directory.Changed().Version(), before) << "open connections are re-authorised";
  const Rights rights = directory.RightsOf(anna, "");
  EXPECT_TRUE(RequireGrant(rights, Action::kPull, Repository("team/app")));
  EXPECT_FALSE(rights.Allows(Action::kPush, Repository("team/app")));
  const Result<void> denied = RequireGrant(rights, Action::kPull, Repository("other/app"));
  ASSERT_FALSE(denied.has_value());
  EXPECT_TRUE(denied.error().message.contains("node 'eu'"))
      << "the node's permissions are the reason";
  EXPECT_TRUE(directory.RightsOf(nullptr, "").LimitedTo(nullptr).node() == nullptr);
}

}  // namespace
}  // namespace outport
