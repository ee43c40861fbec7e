#include "store/retention/version.h"

#include <gtest/gtest.h>

namespace outport::store {
namespace {

TEST(VersionTest, OnlyThreeNumbersAreAVersion) {
  for (const char* tag : {"1.2.3", "v1.2.3", "0.0.0", "1.2.3-rc.1", "1.2.3-0a", "1.2.3-alpha-7",
                          "1.2.3_build.5", "1.2.3-rc.1_5"}) {
    EXPECT_TRUE(Version::Parse(tag).has_value()) << tag;
  }
  for (const char* tag : {"", "v", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.03", "1.2.x", "latest",
                          "V1.2.3", "vv1.2.3", "1.2.3-", "1.2.3-rc..1", "1.2.3-01", "1.2.3_",
                          "99999999999999999999.0.0", "1..3", "release-1.2.3"}) {
    EXPECT_FALSE(Version::Parse(tag).has_value()) << tag;
  }
}

TEST(VersionTest, TheOrderIsThatOfSemver) {
  const std::vector<std::string> ordered = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                            "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                            "1.0.0-rc.1",  "1.0.0",         "1.0.9",
                                            "1.0.10",      "1.2.0",         "1.10.0",
                                            "2.0.0"};
  for (size_t i = 0; i + 1 < ordered.size(); ++i) {
    EXPECT_LT(*Version::Parse(ordered[i]), *Version::Parse(ordered[i + 1])) << ordered[i];
  }
}

TEST(VersionTest, ThePrefixAndTheBuildDoNotCount) {
  EXPECT_EQ(*Version::Parse("v1.2.3"), *Version::Parse("1.2.3"));
  EXPECT_EQ(*Version::Parse("1.2.3_a"), *Version::Parse("1.2.3_b"));
}

}  // namespace
}  // namespace outport::store
