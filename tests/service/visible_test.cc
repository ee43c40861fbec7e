#include "registry/service/visible.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/rights.h"

namespace outport {
namespace {

using testing::ElementsAre;

RepositoryName Name(const std::string& text) { return *RepositoryName::Parse(text); }

// "prefix*" is a range of names, "name" a single name.
std::vector<std::string> Ranges(const Visible& visible) {
  std::vector<std::string> texts;
  for (const NameRange& range : visible.ranges()) {
    texts.push_back(range.prefix + (range.exact ? "" : "*"));
  }
  return texts;
}

TEST(Visible, APredicateAloneAcceptsAnyName) {
  const Visible visible = [](const RepositoryName& name) { return name.ToString() == "a"; };
  EXPECT_THAT(Ranges(visible), ElementsAre("*"));
  EXPECT_TRUE(visible(Name("a")));
  EXPECT_FALSE(visible(Name("b")));
}

TEST(Visible, RangesAreThePrefixesOfPullPatterns) {
  const Rights rights =
      RightsWith({"pull:team/**", "pull,push:lib/app", "push:other/**", "pull:x*/y"});
  const Visible visible = VisibleTo(rights);
  EXPECT_THAT(Ranges(visible), ElementsAre("lib/app", "team/*", "x*"));
  EXPECT_TRUE(visible(Name("team/a/b")));
  EXPECT_TRUE(visible(Name("lib/app")));
  EXPECT_FALSE(visible(Name("lib/app2")));
  EXPECT_FALSE(visible(Name("other/a")));
}

TEST(Visible, DropsRangesInsideOthers) {
  EXPECT_THAT(Ranges(VisibleTo(RightsWith({"pull:b/c/**", "pull:b/**", "pull:b/c", "pull:a",
                                           "pull:a/**", "pull:a", "pull:b"}))),
              ElementsAre("a", "a/*", "b", "b/*"));
  EXPECT_THAT(Ranges(VisibleTo(RightsWith({"pull:team", "pull:team*"}))), ElementsAre("team*"));
  EXPECT_THAT(Ranges(VisibleTo(RightsWith({"pull:team/**", "pull"}))), ElementsAre("*"));
  EXPECT_THAT(Ranges(VisibleTo(RightsWith({}))), ElementsAre());
}

}  // namespace
}  // namespace outport
