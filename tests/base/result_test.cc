#include "registry/base/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace outport {
namespace {

Result<int> Positive(int n) {
  if (n <= 0) return Error{ErrorCode::kInvalidArgument, "not positive"};
  return n;
}
Result<void> Check(int n) {
  TRY_VOID(Positive(n));
  return {};
}
Result<int> Sum(int a, int b) {
  TRY(const int first, Positive(a));
  TRY(const int second, Positive(b));
  return first + second;
}
Result<std::unique_ptr<int>> Boxed(int n) {
  TRY(auto box, Result<std::unique_ptr<int>>(std::make_unique<int>(n)));
  return box;
}

TEST(Result, TryContinuesWithTheValue) {
  EXPECT_EQ(*Sum(1, 2), 3);
  EXPECT_TRUE(Check(1).has_value());
}

TEST(Result, TryReturnsTheError) {
  EXPECT_EQ(Sum(1, -1).error().message, "not positive");
  EXPECT_EQ(Check(0).error().code, ErrorCode::kInvalidArgument);
}

TEST(Result, TryMovesWhatCannotBeCopied) { EXPECT_EQ(**Boxed(7), 7); }

}  // namespace
}  // namespace outport
