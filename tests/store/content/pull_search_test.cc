#include "store/content/pull_search.h"

#include <gtest/gtest.h>

#include "registry/records/rows.h"
#include "store/content/pulls.h"
#include "tests/store/content/content_fixture.h"

namespace outport::store {
namespace {

constexpr int64_t kHourMs = 3'600'000;

// Counts what a search reads.
class CountingView final : public MetaView {
 public:
  explicit CountingView(const MetaView& view) : view_(view) {}
  mutable size_t bodies = 0;  // of manifests
  mutable size_t rows = 0;    // of scans

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    if (key.starts_with(keys::kContents)) ++bodies;
    return view_.Get(key);
  }
  Result<std::vector<KeyValue>> Scan(const ScanRange& range) const override {
    auto found = view_.Scan(range);
    if (found.has_value()) rows += found->size();
    return found;
  }
  Result<LogPosition> Head() const override { return view_.Head(); }
  Result<LogPosition> AuditHead() const override { return view_.AuditHead(); }
  Result<std::vector<LogRecord>> ReadLog(uint64_t from, size_t limit,
                                         size_t limit_bytes) const override {
    return view_.ReadLog(from, limit, limit_bytes);
  }
  Result<std::vector<LogRecord>> ReadAudit(uint64_t from, size_t limit,
                                           size_t limit_bytes) const override {
    return view_.ReadAudit(from, limit, limit_bytes);
  }

 private:
  const MetaView& view_;
};

class PullSearchTest : public testing::Test {
 protected:
  PullSearchTest() {
    EXPECT_TRUE(store_.PushImage("a", "latest", {"one"}).has_value());
    EXPECT_TRUE(store_.PushImage("a", "other", {"two"}).has_value());
  }
  Digest Push(const std::string& body) {
    EXPECT_TRUE(store_.PushTagged("a", body, {}).has_value());
    return Sha256(body);
  }
  // Pushes indexes of the image, each of about `size` bytes.
  std::vector<std::string> PushInner(size_t count, size_t size) {
    std::vector<std::string> inner;
    for (size_t i = 0; i < count; ++i) {
      const std::string index = IndexManifest({image_});
      inner.push_back(index.substr(0, index.size() - 1) + R"(,"annotations":{"note":")" +
                      std::to_string(i) + std::string(size, 'x') + "\"}}");
      Push(inner.back());
    }
    return inner;
  }
  void Pull(const std::string& reference, int64_t time_ms) {
    EXPECT_TRUE(WritePulls(*store_.meta, {{Repo("a"), Ref(reference), time_ms}}, "",
                           MetaTransaction::Durability::kBuffered)
                    .has_value());
  }
  static int64_t Time(const Result<LastPull>& pull) {
    EXPECT_TRUE(pull.has_value());
    return pull.has_value() && pull->row.has_value() ? pull->row->last_ms() : 0;
  }
  static bool IsComplete(const Result<LastPull>& pull) {
    EXPECT_TRUE(pull.has_value());
    return pull.has_value() && pull->is_complete;
  }
  // As a new search finds it.
  int64_t LastOf(const Digest& digest) {
    return Time(PullSearch(*store_.meta, repository_).LastPullOf(digest));
  }

  TestContent store_;
  const RepositoryName repository_ = Repo("a");
  const std::string image_ = ImageManifest({"one"});
  const std::string digest_ = Sha256(image_).ToString();
};

TEST_F(PullSearchTest, APullOfAChildIsAPullOfItsIndexAndTheReverse) {
  const Digest parent = Push(IndexManifest({image_}));
  const Digest child = Sha256(image_);
  EXPECT_EQ(LastOf(parent), 0);
  Pull(child.ToString(), 5 * kHourMs);
  EXPECT_EQ(LastOf(parent), 5 * kHourMs);
  Pull(parent.ToString(), 7 * kHourMs);
  EXPECT_EQ(LastOf(parent), 7 * kHourMs);
  EXPECT_EQ(LastOf(child), 7 * kHourMs);
  EXPECT_EQ(LastOf(Sha256(ImageManifest({"two"}))), 0);
}

TEST_F(PullSearchTest, APullCountsThroughIndexesInIndexes) {
  std::vector<std::string> bodies{image_, IndexManifest({image_, ImageManifest({"two"})})};
  while (bodies.size() <= 9) bodies.push_back(OuterIndex({bodies.back()}));
  for (const std::string& body : bodies) Push(body);
  const auto at = [&](size_t level) { return Sha256(bodies[level]); };
  Pull(at(8).ToString(), 5 * kHourMs);
  EXPECT_EQ(LastOf(at(0)), 5 * kHourMs);
  EXPECT_EQ(LastOf(at(5)), 5 * kHourMs);
  EXPECT_EQ(LastOf(Sha256(ImageManifest({"two"}))), 5 * kHourMs);
  Pull(at(0).ToString(), 7 * kHourMs);
  EXPECT_EQ(LastOf(at(8)), 7 * kHourMs);
  EXPECT_EQ(LastOf(at(9)), 5 * kHourMs) << "more than eight levels";
  PullSearch search(*store_.meta, repository_);
  EXPECT_TRUE(IsComplete(search.LastPullOf(at(8))));
  EXPECT_FALSE(IsComplete(search.LastPullOf(at(9))));
  EXPECT_EQ(LastOf(Sha256(ImageManifest({"two"}))), 5 * kHourMs) << "only the image beside it";
}

TEST_F(PullSearchTest, ATagIsPulledByItsNameOrByItsManifest) {
  const auto last = [&] {
    return Time(
        PullSearch(*store_.meta, repository_).LastPullOf(*Tag::Parse("latest"), Sha256(image_)));
  };
  Pull("latest", 5 * kHourMs);
  EXPECT_EQ(last(), 5 * kHourMs);
  Pull(digest_, 6 * kHourMs);
  EXPECT_EQ(last(), 6 * kHourMs);
}

TEST_F(PullSearchTest, ReadsFewIndexesForOneManifest) {
  const Digest root = Push(OuterIndex(PushInner(40, 10)));
  Pull(digest_, 5 * kHourMs);
  const CountingView view(*store_.meta);
  EXPECT_EQ(Time(PullSearch(view, repository_).LastPullOf(root)), 5 * kHourMs);
  EXPECT_EQ(view.bodies, 32u);
  EXPECT_FALSE(IsComplete(PullSearch(view, repository_).LastPullOf(root)));
}

TEST_F(PullSearchTest, ReadsFewBytesForOneManifest) {
  const Digest root = Push(OuterIndex(PushInner(12, 1 << 20)));
  Pull(digest_, 5 * kHourMs);
  const CountingView view(*store_.meta);
  EXPECT_EQ(Time(PullSearch(view, repository_).LastPullOf(root)), 5 * kHourMs);
  EXPECT_EQ(view.bodies, 8u) << "the root and seven MiB";
  EXPECT_FALSE(IsComplete(PullSearch(view, repository_).LastPullOf(root)));
}

TEST_F(PullSearchTest, RemembersWhatItHasRead) {
  const std::vector<std::string> inner = PushInner(10, 10);
  const Digest first = Push(OuterIndex(inner, "first"));
  const Digest second = Push(OuterIndex(inner, "second"));
  Pull(digest_, 5 * kHourMs);
  const CountingView view(*store_.meta);
  PullSearch search(view, repository_);
  EXPECT_EQ(Time(search.LastPullOf(first)), 5 * kHourMs);
  EXPECT_EQ(view.bodies, 11u);
  EXPECT_EQ(Time(search.LastPullOf(second)), 5 * kHourMs);
  EXPECT_EQ(view.bodies, 12u) << "only the second root";
  EXPECT_TRUE(IsComplete(search.LastPullOf(second)));
  const size_t rows = view.rows;
  EXPECT_EQ(Time(search.LastPullOf(*Tag::Parse("v2"), second)), 5 * kHourMs);
  EXPECT_EQ(view.bodies, 12u);
  EXPECT_EQ(view.rows, rows);
}

// Each of the outer indexes lists each of the inner ones.
TEST_F(PullSearchTest, CountsAManifestThatManyIndexesListEachTime) {
  const std::vector<std::string> inner = PushInner(10, 10);
  for (size_t i = 0; i < 10; ++i) Push(OuterIndex(inner, std::to_string(i)));
  const CountingView view(*store_.meta);
  PullSearch search(view, repository_, {.mentions = 25});
  EXPECT_EQ(Time(search.LastPullOf(Sha256(image_))), 0);
  EXPECT_EQ(view.rows, 26u) << "one shows that there are more";
  EXPECT_FALSE(IsComplete(search.LastPullOf(Sha256(image_))));
  EXPECT_FALSE(search.IsExhausted());
}

TEST_F(PullSearchTest, AnAnswerIsCompleteUpToTheLimitOfRelatives) {
  const std::vector<std::string> inner = PushInner(3, 10);
  const Digest root = Push(OuterIndex(inner));
  const auto complete = [&](const Digest& digest, size_t relatives) {
    PullSearch search(*store_.meta, repository_, {.relatives = relatives});
    return IsComplete(search.LastPullOf(digest));
  };
  EXPECT_TRUE(complete(Sha256(image_), 4)) << "three indexes and their root";
  EXPECT_FALSE(complete(Sha256(image_), 3)) << "without the root";
  EXPECT_FALSE(complete(Sha256(image_), 2));
  EXPECT_TRUE(complete(root, 4)) << "three indexes and their image";
  EXPECT_FALSE(complete(root, 3)) << "without the image";
  EXPECT_FALSE(complete(root, 2));
}

// The answers about a small index do not depend on a question about a large one before.
TEST_F(PullSearchTest, TheLimitsForOneManifestDoNotDependOnEarlierQuestions) {
  const std::vector<std::string> inner = PushInner(40, 10);
  const Digest large = Push(OuterIndex(inner));
  const Digest small = Push(OuterIndex({inner[0], inner[39]}));
  PullSearch search(*store_.meta, repository_);
  EXPECT_FALSE(IsComplete(search.LastPullOf(large)));
  EXPECT_TRUE(IsComplete(search.LastPullOf(small)));
  EXPECT_FALSE(IsComplete(search.LastPullOf(large))) << "as remembered";
  const Digest again = Push(OuterIndex(inner, "again"));
  EXPECT_FALSE(IsComplete(search.LastPullOf(again))) << "although it remembers 32 of the indexes";
}

TEST_F(PullSearchTest, SaysThatItIsExhausted) {
  const std::vector<std::string> inner = PushInner(2, 1000);
  Pull(digest_, 5 * kHourMs);
  PullSearch bytes(*store_.meta, repository_, {.all_index_bytes = 2000});
  EXPECT_EQ(Time(bytes.LastPullOf(Sha256(inner[0]))), 5 * kHourMs);
  EXPECT_FALSE(bytes.IsExhausted());
  EXPECT_EQ(Time(bytes.LastPullOf(Sha256(inner[1]))), 0);
  EXPECT_TRUE(bytes.IsExhausted());
  EXPECT_FALSE(IsComplete(bytes.LastPullOf(Sha256(inner[1]))));
  PullSearch mentions(*store_.meta, repository_, {.all_mentions = 4});
  EXPECT_EQ(Time(mentions.LastPullOf(Sha256(inner[0]))), 5 * kHourMs);
  EXPECT_FALSE(mentions.IsExhausted());
  EXPECT_EQ(Time(mentions.LastPullOf(Sha256(inner[1]))), 0);
  EXPECT_TRUE(mentions.IsExhausted());
  EXPECT_FALSE(IsComplete(mentions.LastPullOf(Sha256(inner[1]))));
}

}  // namespace
}  // namespace outport::store
