#include "node/pulls/pulled_rows.h"

#include <gmock/gmock.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "registry/records/rows.h"
#include "registry/storage/rocks/rocks_meta_store.h"
#include "tests/support/manual_clock.h"
#include "tests/support/temporary_folder.h"

namespace outport::node {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PulledRowsTest : public testing::Test {
 protected:
  int64_t BootMs() const {
    return std::chrono::floor<std::chrono::milliseconds>(clock_.SinceBoot()).count();
  }
  Pull PullOf(const std::string& tag) {
    return {*RepositoryName::Parse("a"), *ParseReference(tag), BootMs()};
  }
  uint64_t Add(PulledRows& rows, const std::string& tag) {
    const auto dropped = rows.Add({PullOf(tag)});
    EXPECT_TRUE(dropped.has_value());
    return dropped.value_or(0);
  }
  std::vector<KeyValue> List(const PulledRows& rows) { return *rows.List("", 1000); }
  std::vector<std::string> Tags(const PulledRows& rows) {
    std::vector<std::string> tags;
    for (const KeyValue& row : List(rows)) {
      tags.push_back(row.key.substr(row.key.find(keys::kSeparator) + 1));
    }
    return tags;
  }
  std::vector<int64_t> Ages(const PulledRows& rows) {
    std::vector<int64_t> ages;
    for (const KeyValue& row : List(rows)) {
      ages.push_back(rows.AgeMs(*ParseRow<v1::PulledRow>(row.key, row.value)));
    }
    return ages;
  }

  TemporaryFolder folder_;
  std::unique_ptr<MetaStore> meta_ =
      *OpenRocksMetaStore({.folder = folder_.path() / "meta"}, Log::Nowhere());
  store::ManualClock clock_;
  PulledRows rows_{*meta_, clock_, 10, "this boot"};
};

TEST_F(PulledRowsTest, KeepsTheLastPullUntilItIsRemoved) {
  Add(rows_, "v1");
  clock_.Advance(std::chrono::hours(1));
  Add(rows_, "v2");
  Add(rows_, "v1");
  EXPECT_THAT(Tags(rows_), ElementsAre("v1", "v2"));
  EXPECT_THAT(Ages(rows_), ElementsAre(0, 0));
  ASSERT_TRUE(rows_.Remove(List(rows_)));
  EXPECT_THAT(Tags(rows_), IsEmpty());
}

TEST_F(PulledRowsTest, APullDuringTheReportStays) {
  Add(rows_, "v1");
  Add(rows_, "v2");
  const std::vector<KeyValue> reported = List(rows_);
  clock_.Advance(std::chrono::hours(1));
  Add(rows_, "v1");
  ASSERT_TRUE(rows_.Remove(reported));
  EXPECT_THAT(Tags(rows_), ElementsAre("v1"));
}

TEST_F(PulledRowsTest, TheAgeGrowsWhileTheMachineRunsAndAfterItsRestart) {
  Add(rows_, "v1");
  clock_.Advance(std::chrono::seconds(90));
  EXPECT_THAT(Ages(rows_), ElementsAre(90'000));
  const PulledRows restarted(*meta_, clock_, 10, "next boot");
  EXPECT_THAT(Ages(restarted), ElementsAre(90'000));
}

TEST_F(PulledRowsTest, DropsTheOldestBeyondTheLimit) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Add(rows_, "v" + std::to_string(9 - i)), 0U);
    clock_.Advance(std::chrono::seconds(1));
  }
  // A new process counts the rows of the previous one.
  PulledRows restarted(*meta_, clock_, 10, "next boot");
  EXPECT_EQ(Add(restarted, "x"), 2U);
  EXPECT_THAT(Tags(restarted), ElementsAre("v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "x"))
      << "v9 and v8 were the oldest";
  EXPECT_EQ(Add(restarted, "y"), 0U);
}

TEST_F(PulledRowsTest, WithEqualTimesItDropsNoMoreThanItMust) {
  std::vector<Pull> pulls;
  for (int i = 0; i < 11; ++i) pulls.push_back(PullOf("v" + std::to_string(i)));
  EXPECT_EQ(*rows_.Add(pulls), 2U);
  EXPECT_EQ(Tags(rows_).size(), 9U);
}

}  // namespace
}  // namespace outport::node
