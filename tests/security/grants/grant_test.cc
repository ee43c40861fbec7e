#include "registry/security/grants/grant.h"

#include <gtest/gtest.h>

namespace outport {
namespace {

TEST(Grant, IsParsedAndPrinted) {
  const auto everything = ParseGrant("push,pull");
  ASSERT_TRUE(everything.has_value());
  EXPECT_EQ(everything->pattern, "**");
  EXPECT_EQ(everything->actions, (std::set{Action::kPull, Action::kPush}));
  EXPECT_EQ(ToString(*everything), "pull,push:**");
  EXPECT_EQ(ToString(*ParseGrant("pull:team/*")), "pull:team/*");
}

TEST(Grant, IsRejectedWithAReason) {
  for (const char* text : {"", "pull:", ":team", "read", "pull,", "pull, push", "PULL", "pull:/a",
                           "pull:a/", "pull:a//b", "pull:a***", "pull:A", "pull:a b", "pull:a:b"}) {
    const auto grant = ParseGrant(text);
    ASSERT_FALSE(grant.has_value()) << text;
    EXPECT_EQ(grant.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(grant.error().message.find("is not a valid grant"), std::string::npos);
  }
}

TEST(Grant, ThatCanMatchNothingIsRejected) {
  for (const char* text :
       {"admin", "pull,admin:team/**", "pull:../x", "pull:.", "pull:team/-x", "pull:team/x-",
        "pull:a..b", "pull:a___b", "pull:a.-*", "pull:*-", "pull:-**/x", "pull:a/_/b"}) {
    const auto grant = ParseGrant(text);
    ASSERT_TRUE(grant.has_value()) << text << ": stored grants are read without CheckGrant()";
    const auto given = CheckGrant(*grant, SubjectKind::kUser);
    ASSERT_FALSE(given.has_value()) << text;
    EXPECT_EQ(given.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(given.error().message.find("is not a valid grant"), std::string::npos);
  }
  for (const char* text : {"pull", "pull,push,delete:team/**", "pull:team-*/app", "pull:*/*",
                           "pull:**/app", "pull:a--b.c__d/*", "pull:*_*", "pull:a**b*c"}) {
    EXPECT_TRUE(CheckGrant(*ParseGrant(text), SubjectKind::kUser).has_value()) << text;
  }
}

TEST(Grant, ForAnonymousIsPullAlone) {
  EXPECT_TRUE(CheckGrant(*ParseGrant("pull:public/**"), SubjectKind::kAnonymous).has_value());
  for (const char* text : {"push:public/**", "pull,push", "delete:public/x"}) {
    EXPECT_FALSE(CheckGrant(*ParseGrant(text), SubjectKind::kAnonymous).has_value()) << text;
  }
}

TEST(NameGlob, StarsMatchAnyRun) {
  struct Match {
    const char* glob;
    const char* name;
    bool matches;
  };
  constexpr Match kCases[] = {
      {"ci-*", "ci-1", true},     {"ci-*", "ci-", true},
      {"ci-*", "ci", false},      {"*", "", true},
      {"*", "any", true},         {"", "", true},
      {"", "a", false},           {"a", "a", true},
      {"a", "ab", false},         {"*-ci", "x-ci", true},
      {"*-ci", "x-ci-y", false},  {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbYbZ", false}, {"**x", "x", true},
      {"a*", "ba", false},
  };
  for (const Match& c : kCases) {
    EXPECT_EQ(MatchesName(c.glob, c.name), c.matches) << c.glob << " " << c.name;
  }
}

TEST(Subject, IsParsedAndPrinted) {
  for (const char* text : {"user:anna", "group:ops", "certificate:ci-1", "anonymous"}) {
    const auto subject = ParseSubject(text);
    ASSERT_TRUE(subject.has_value()) << text;
    EXPECT_EQ(ToString(*subject), text);
  }
  for (const char* text : {"", "anna", "user:", "user:A", "users:a", "anonymous:", "group:a/b"}) {
    const auto subject = ParseSubject(text);
    ASSERT_FALSE(subject.has_value()) << text;
    EXPECT_EQ(subject.error().code, ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace outport
