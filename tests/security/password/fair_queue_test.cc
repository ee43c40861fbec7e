#include "registry/security/password/fair_queue.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

TEST(FairQueue, TakesTurns) {
  FairQueue queue(3);
  std::string order;
  const auto push = [&](const std::string& origin, char what) {
    queue.Push(origin, [&order, what] { order += what; });
  };
  push("a", '1');
  push("a", '2');
  push("a", '3');
  EXPECT_FALSE(queue.HasRoom("a"));
  EXPECT_TRUE(queue.HasRoom("b"));
  push("b", 'x');
  push("c", 'y');
  push("c", 'z');
  for (int i = 0; i < 6; ++i) queue.Pop()();
  EXPECT_EQ(order, "1xy2z3");
  EXPECT_TRUE(queue.HasRoom("a"));
}

}  // namespace
}  // namespace outport
