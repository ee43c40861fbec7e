#include "node/revocation_age.h"

#include <gtest/gtest.h>

namespace outport::node {
namespace {

using namespace std::chrono_literals;

v1::FreshnessPolicy Policy(std::chrono::milliseconds limit, bool serve) {
  v1::FreshnessPolicy policy;
  policy.set_max_revocation_age_ms(limit.count());
  policy.set_serve_beyond_revocation_age(serve);
  return policy;
}

TEST(RevocationAge, I6NodeRefusesCallersWhenItsRevocationsAreTooOld) {
  EXPECT_TRUE(CheckRevocationAge(Policy(1min, false), 1min).has_value());
  const auto late = CheckRevocationAge(Policy(1min, false), 60001ms);
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(late.error().message.find("for 61 seconds"), std::string::npos);
  EXPECT_FALSE(CheckRevocationAge(Policy(1min, false), std::nullopt).has_value());
  EXPECT_TRUE(CheckRevocationAge(Policy(1min, true), 60001ms).has_value());
  EXPECT_TRUE(CheckRevocationAge(Policy(1min, true), std::nullopt).has_value());
  EXPECT_TRUE(CheckRevocationAge({}, std::nullopt).has_value())
      << "a store that predates the limit";
}

}  // namespace
}  // namespace outport::node
