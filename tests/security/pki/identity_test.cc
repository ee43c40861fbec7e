#include "registry/security/pki/identity.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

TEST(SubjectName, AcceptsOnlyNamesOfTheFleet) {
  for (const char* name : {"a", "desktop", "eu-west", "ci.runner_7", "0"}) {
    EXPECT_TRUE(ParseSubjectName(name).has_value()) << name;
  }
  const std::string long_name(65, 'a');
  for (const std::string& name :
       {std::string(), std::string("Desktop"), std::string("-a"), std::string("a-"),
        std::string("a/b"), std::string("a b"), std::string("a\0b", 3), long_name}) {
    const auto result = ParseSubjectName(name);
    ASSERT_FALSE(result.has_value()) << name;
    EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(SpiffeId, ParsesWhatItWrites) {
  const std::string id = ToSpiffeId("outport", Role::kNode, "eu-west");
  EXPECT_EQ(id, "spiffe://outport/node/eu-west");
  const auto identity = ParseSpiffeId(id);
  ASSERT_TRUE(identity.has_value());
  EXPECT_EQ(identity->domain, "outport");
  EXPECT_EQ(identity->role, Role::kNode);
  EXPECT_EQ(identity->name, "eu-west");
}

TEST(SpiffeId, RejectsAnythingElse) {
  for (const char* id :
       {"", "spiffe://", "spiffe://outport", "spiffe://outport/node", "spiffe://outport/node/",
        "spiffe://outport/king/a", "spiffe:///node/a", "spiffe://outport/node/a/b",
        "spiffe://outport/node/A", "https://outport/node/a", "spiffe://out port/node/a"}) {
    EXPECT_FALSE(ParseSpiffeId(id).has_value()) << id;
  }
}

TEST(Role, ParsesItsNames) {
  for (const Role role : {Role::kClient, Role::kNode, Role::kAdmin, Role::kStore}) {
    EXPECT_EQ(*ParseRole(ToString(role)), role);
  }
  EXPECT_FALSE(ParseRole("Admin").has_value());
}

}  // namespace
}  // namespace outport
