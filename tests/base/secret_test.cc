#include "registry/base/secret.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace outport {
namespace {

TEST(Secret, AMoveLeavesNoCopy) {
  Secret first(std::string_view("s3cret"));
  const char* bytes = first.text().data();
  Secret second(std::move(first));
  EXPECT_EQ(second.text(), "s3cret");
  EXPECT_EQ(second.text().data(), bytes) << "moved, not copied";
  EXPECT_EQ(first.text(), "");  // NOLINT(bugprone-use-after-move)
  Secret third(std::string_view("other"));
  third = std::move(second);
  EXPECT_EQ(third.text(), "s3cret");
}

TEST(Wipe, OverwritesWithZeros) {
  std::string text = "a password of some length, on the heap";
  const size_t size = text.size();
  const char* bytes = text.data();
  Wipe(text);
  EXPECT_TRUE(text.empty());
  EXPECT_EQ(std::string(bytes, size), std::string(size, '\0')) << "the buffer was not freed yet";
}

}  // namespace
}  // namespace outport
