#include "node/replica/copy_garbage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "tests/support/memory_meta_store.h"

namespace outport::node {
namespace {

using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr uint64_t kServing = 3;

class CopyGarbageTest : public testing::Test {
 protected:
  static Digest DigestOf(const std::string& content) {
    return Digest::Of(DigestAlgorithm::kSha256, AsBytes(content));
  }
  void Put(const std::string& key, const std::string& value) {
    const auto transaction = meta_.Begin();
    ASSERT_TRUE(transaction->Put(key, value));
    ASSERT_TRUE(transaction->Commit(MetaTransaction::Durability::kBuffered));
  }
  // Adds a copy whose object is named like its content.
  void Cache(const std::string& content) {
    v1::CachedRow row;
    row.set_object(content);
    Put(keys::Cached(DigestOf(content)), row.SerializeAsString());
  }
  void Link(const std::string& content, uint64_t generation = kServing) {
    Put(keys::GenerationPrefix(generation) +
            keys::Link(*RepositoryName::Parse("r"), DigestOf(content)),
        v1::LinkRow().SerializeAsString());
  }
  // Runs the steps of the round that Collect() has begun.
  std::vector<std::string> Unlinked(uint64_t generation = kServing) {
    std::vector<std::string> objects;
    for (int steps = 0; steps < 1000; ++steps) {
      const auto copies = garbage_.Step(generation);
      EXPECT_TRUE(copies.has_value());
      if (!copies.has_value() || !copies->has_value()) return objects;
      for (const CopyName& copy : **copies) {
        EXPECT_EQ(copy.digest.ToString(), DigestOf(copy.object).ToString());
        objects.push_back(copy.object);
      }
    }
    ADD_FAILURE() << "the round does not end";
    return objects;
  }
  bool Collect() {
    const auto more = garbage_.Collect();
    EXPECT_TRUE(more.has_value());
    return more.value_or(false);
  }

  MemoryMetaStore meta_;
  CopyGarbage garbage_{meta_};
};

TEST_F(CopyGarbageTest, FindsTheCopiesThatNoLinkNames) {
  for (const char* content : {"a", "b", "c"}) Cache(content);
  Link("b");
  ASSERT_TRUE(Collect());
  EXPECT_THAT(Unlinked(), UnorderedElementsAre("a", "c"));
}

TEST_F(CopyGarbageTest, AnEmptyCacheHasNoCandidates) {
  Link("a");
  EXPECT_FALSE(Collect());
  EXPECT_THAT(Unlinked(), IsEmpty());
}

TEST_F(CopyGarbageTest, LinksOfOtherGenerationsDoNotCount) {
  Cache("a");
  Link("a", kServing - 1);
  ASSERT_TRUE(Collect());
  EXPECT_THAT(Unlinked(), UnorderedElementsAre("a"));
}

TEST_F(CopyGarbageTest, ALinkThatArrivesDuringTheRoundKeepsTheCopy) {
  for (const char* content : {"a", "b"}) Cache(content);
  ASSERT_TRUE(Collect());
  const auto scanned = garbage_.Step(kServing);
  ASSERT_TRUE(scanned.has_value() && scanned->has_value());
  EXPECT_THAT(**scanned, IsEmpty()) << "a step returned copies before it saw every link";
  Link("a");  // behind the scan
  garbage_.Linked(DigestOf("a").ToString());
  EXPECT_THAT(Unlinked(), UnorderedElementsAre("b"));
}

// A snapshot may add links to a generation that the round has not scanned.
TEST_F(CopyGarbageTest, AnotherGenerationRestartsTheScan) {
  for (const char* content : {"a", "b"}) Cache(content);
  ASSERT_TRUE(Collect());
  ASSERT_TRUE(garbage_.Step(kServing).has_value());
  Link("a", kServing + 1);
  EXPECT_THAT(Unlinked(kServing + 1), UnorderedElementsAre("b"));
}

TEST_F(CopyGarbageTest, ALaterCopyIsNoCandidate) {
  Cache("a");
  ASSERT_TRUE(Collect());
  Cache("b");
  EXPECT_THAT(Unlinked(), UnorderedElementsAre("a"));
}

TEST_F(CopyGarbageTest, RoundsGoThroughTheWholeCache) {
  constexpr int kCopies = 9001;
  for (int i = 0; i < kCopies; ++i) Cache(std::to_string(i));
  for (int i = 0; i < kCopies; i += 3) Link(std::to_string(i));
  size_t found = 0;
  int rounds = 0;
  for (; Collect(); ++rounds) found += Unlinked().size();
  EXPECT_EQ(found, 6000u);
  EXPECT_GT(rounds, 1);
  EXPECT_TRUE(Collect()) << "the next pass starts from the first copy";
}

}  // namespace
}  // namespace outport::node
