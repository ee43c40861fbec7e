#include "registry/service/pull_recorder.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

namespace outport {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr int64_t kHourMs = 3'600'000;

class PullRecorderTest : public testing::Test {
 protected:
  static Digest DigestOf(const std::string& text) {
    return Digest::Of(DigestAlgorithm::kSha256, AsBytes(text));
  }
  static std::string D(const std::string& text) { return DigestOf(text).ToString(); }
  // A pull by tag, or by digest if there is no tag.
  static void Pull(PullRecorder& recorder, const std::string& repository, const std::string& tag,
                   const std::string& content) {
    const Reference reference =
        tag.empty() ? Reference(DigestOf(content)) : Reference(*Tag::Parse(tag));
    recorder.Record(*RepositoryName::Parse(repository), reference, DigestOf(content));
  }
  void Pull(const std::string& repository, const std::string& tag, const std::string& content) {
    Pull(recorder_, repository, tag, content);
  }
  static std::vector<std::string> Texts(const PullRecorder::Taken& taken) {
    std::vector<std::string> texts;
    for (const auto& pull : taken.pulls) {
      texts.push_back(pull.repository.ToString() + " " + ToString(pull.reference));
    }
    return texts;
  }

  std::atomic<int64_t> now_ms_ = 100 * kHourMs;
  PullRecorder recorder_{[this] { return now_ms_.load(); }};
};

TEST_F(PullRecorderTest, APullByTagIsAlsoOneByDigest) {
  Pull("a", "latest", "one");
  Pull("b", "", "one");
  const PullRecorder::Taken taken = recorder_.Take();
  EXPECT_THAT(Texts(taken), ElementsAre("a latest", "a " + D("one"), "b " + D("one")));
  EXPECT_EQ(taken.pulls[0].time_ms, 100 * kHourMs);
  EXPECT_EQ(taken.dropped, 0U);
}

TEST_F(PullRecorderTest, LeavesOnceAnHour) {
  Pull("a", "", "one");
  now_ms_ += kHourMs / 2;
  Pull("a", "", "one");
  EXPECT_THAT(Texts(recorder_.Take()), ElementsAre("a " + D("one")));
  Pull("a", "", "one");
  EXPECT_THAT(Texts(recorder_.Take()), IsEmpty()) << "it has left in this hour";
  now_ms_ += kHourMs / 2;
  Pull("a", "", "one");
  const PullRecorder::Taken taken = recorder_.Take();
  EXPECT_THAT(Texts(taken), ElementsAre("a " + D("one")));
  EXPECT_EQ(taken.pulls[0].time_ms, 101 * kHourMs);
}

TEST_F(PullRecorderTest, ATagThatMovesRecordsTheNewDigest) {
  Pull("a", "latest", "one");
  recorder_.Take();
  Pull("a", "latest", "two");
  EXPECT_THAT(Texts(recorder_.Take()), ElementsAre("a " + D("two")));
}

TEST_F(PullRecorderTest, EveryEarlierPullIsInTheBatch) {
  Pull("a", "", "one");
  now_ms_ += 5;
  const PullRecorder::Taken taken = recorder_.Take();
  EXPECT_EQ(taken.before_ms, 100 * kHourMs + 5);
}

TEST_F(PullRecorderTest, DropsAndCountsWhatFindsNoPlace) {
  PullRecorder recorder([this] { return now_ms_.load(); }, {.pulls = 3, .in_repository = 3});
  for (const char* content : {"1", "2", "3", "4", "5"}) Pull(recorder, "a", "", content);
  PullRecorder::Taken taken = recorder.Take();
  EXPECT_EQ(taken.pulls.size(), 3U);
  EXPECT_EQ(taken.dropped, 2U);
  Pull(recorder, "a", "", "4");
  taken = recorder.Take();
  EXPECT_THAT(Texts(taken), ElementsAre("a " + D("4"))) << "what was dropped counts the next time";
  EXPECT_EQ(taken.dropped, 0U);
}

TEST_F(PullRecorderTest, OneRepositoryLeavesPlaceForTheOthers) {
  PullRecorder recorder([this] { return now_ms_.load(); }, {.pulls = 10, .in_repository = 2});
  for (const char* content : {"1", "2", "3", "4"}) Pull(recorder, "greedy", "", content);
  Pull(recorder, "modest", "", "1");
  const PullRecorder::Taken taken = recorder.Take();
  EXPECT_THAT(Texts(taken),
              ElementsAre("greedy " + D("1"), "greedy " + D("2"), "modest " + D("1")));
  EXPECT_EQ(taken.dropped, 2U);
}

TEST_F(PullRecorderTest, MemoryOfWhatLeftIsBounded) {
  PullRecorder recorder([this] { return now_ms_.load(); }, {.pulls = 4, .in_repository = 4});
  for (int i = 0; i < 100; ++i) {
    Pull(recorder, "a", "", std::to_string(i));
    EXPECT_EQ(recorder.Take().pulls.size(), 1U) << i;
  }
  // It has forgotten the first one, which may leave again.
  Pull(recorder, "a", "", "0");
  EXPECT_THAT(Texts(recorder.Take()), ElementsAre("a " + D("0")));
}

TEST_F(PullRecorderTest, ManyThreadsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kPulls = 500;
  std::vector<std::string> texts;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < kPulls; ++i) Pull("a", "", std::to_string(i));
      });
    }
    for (int i = 0; i < 100; ++i) {
      for (std::string& text : Texts(recorder_.Take())) texts.push_back(std::move(text));
    }
  }
  for (std::string& text : Texts(recorder_.Take())) texts.push_back(std::move(text));
  EXPECT_EQ(texts.size(), static_cast<size_t>(kPulls)) << "each digest once";
  std::ranges::sort(texts);
  EXPECT_EQ(std::ranges::unique(texts).size(), 0U);
}

}  // namespace
}  // namespace outport
