#include "registry/base/lru_map.h"

#include <gtest/gtest.h>

#include <string>

namespace outport {
namespace {

TEST(LruMap, EvictsTheLeastRecentlyUsed) {
  LruMap<std::string, int> map(2);
  map.At("a") = 1;
  map.At("b") = 2;
  ASSERT_NE(map.Find("a"), nullptr);
  map.At("c") = 3;
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.Find("b"), nullptr);
  EXPECT_EQ(*map.Find("a"), 1);
  EXPECT_EQ(map.At("c"), 3) << "the existing value";
  map.Erase("a");
  map.Erase("a");
  EXPECT_EQ(map.Find("a"), nullptr);
  EXPECT_EQ(map.size(), 1u);
}

TEST(LruMap, ErasesTheEntriesWithSomeValues) {
  LruMap<std::string, int> map(4);
  for (int i = 0; i < 4; ++i) map.At(std::string(1, static_cast<char>('a' + i))) = i;
  map.EraseIf([](int value) { return value % 2 == 0; });
  EXPECT_EQ(map.size(), 2u);
  EXPECT_EQ(map.Find("a"), nullptr);
  EXPECT_EQ(*map.Find("b"), 1);
  map.At("e");
  map.At("f");
  map.At("g");  // evicts "d", the least recently used one
  EXPECT_EQ(map.Find("d"), nullptr);
  EXPECT_EQ(*map.Find("b"), 1);
}

}  // namespace
}  // namespace outport
