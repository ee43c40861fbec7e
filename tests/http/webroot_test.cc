#include "registry/http/webroot.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "tests/support/temporary_folder.h"

namespace outport {
namespace {

namespace fs = std::filesystem;

class ReadBeneathTest : public testing::TestWithParam<Lookup> {
 protected:
  ReadBeneathTest() {
    fs::create_directories(folder_.path() / "root" / "a" / "b");
    Write("root/a/b/file", "content");
    Write("secret", "secret");
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
  }
  void Link(const std::string& target, const std::string& name) const {
    fs::create_symlink(folder_.path() / target, folder_.path() / name);
  }
  Result<std::string> Read(const std::vector<std::string>& names,
                           const std::string& root = "root") const {
    return ReadBeneath(folder_.path() / root, names, 100, GetParam());
  }
  void ExpectNotFound(const std::vector<std::string>& names) const {
    const Result<std::string> read = Read(names);
    ASSERT_FALSE(read.has_value()) << *read;
    EXPECT_EQ(read.error().code, ErrorCode::kNotFound) << read.error().message;
  }

  TemporaryFolder folder_;
};

TEST_P(ReadBeneathTest, ReadsAFile) {
  EXPECT_EQ(*Read({"a", "b", "file"}), "content");
  ExpectNotFound({"a", "b", "other"});
  ExpectNotFound({"a", "file", "file"});
  ExpectNotFound({"a", "b"});
}

TEST_P(ReadBeneathTest, FollowsNoLink) {
  Link("secret", "root/a/b/link");
  ExpectNotFound({"a", "b", "link"});
  Link("root/a/b/file", "root/a/b/inside");
  ExpectNotFound({"a", "b", "inside"});
  Link("root/a", "root/c");
  ExpectNotFound({"c", "b", "file"});
}

TEST_P(ReadBeneathTest, TheFolderItselfMayBeALink) {
  Link("root", "www");
  EXPECT_EQ(*Read({"a", "b", "file"}, "www"), "content");
}

TEST_P(ReadBeneathTest, AFifoDoesNotBlock) {
  ASSERT_EQ(::mkfifo((folder_.path() / "root" / "a" / "fifo").c_str(), 0600), 0);
  ExpectNotFound({"a", "fifo"});
}

TEST_P(ReadBeneathTest, IsBounded) {
  Write("root/large", std::string(101, 'x'));
  const Result<std::string> read = Read({"large"});
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(read.error().code, ErrorCode::kInvalidArgument);
}

INSTANTIATE_TEST_SUITE_P(Lookups, ReadBeneathTest,
                         testing::Values(Lookup::kByKernel, Lookup::kByName));

}  // namespace
}  // namespace outport
