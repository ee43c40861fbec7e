#include "node/freshness/overlay.h"

#include <gtest/gtest.h>

namespace outport::node {
namespace {

v1::Position At(const std::string& epoch, uint64_t sequence) {
  v1::Position position;
  position.set_epoch(epoch);
  position.set_sequence(sequence);
  return position;
}

Digest DigestOf(const std::string& name) {
  return Digest::Of(DigestAlgorithm::kSha256, AsBytes(name));
}

ResolveQuestion Tagged(const std::string& tag) {
  return AskManifest(*RepositoryName::Parse("r"), *ParseReference(tag));
}

// An answer that `content` was found; empty: that nothing was.
StoreAnswer Answer(const std::string& content, const v1::Position& position) {
  StoreAnswer answer{.answer = {}, .position = position, .replica_epoch = "e"};
  if (!content.empty()) answer.answer.content = ResolveAnswer::Content{DigestOf(content), "", 1};
  return answer;
}

void Put(Overlay& overlay, const std::string& tag, const StoreAnswer& answer,
         const v1::Position& applied) {
  overlay.Put(Tagged(tag), answer, applied);
}

// The content that the overlay finds, among those of these tests.
std::string Find(Overlay& overlay, const std::string& tag, const v1::Position& applied) {
  const auto found = overlay.Find(Tagged(tag), applied);
  if (!found.has_value()) return "nothing";
  if (!found->answer.found()) return "absent";
  for (const std::string content : {"d", "new", "old", "1", "2", "3"}) {
    if (found->answer.content->digest == DigestOf(content)) return content;
  }
  return "another content";
}

TEST(I3Overlay, KeepsAnAnswerUntilTheReplicaHasPassedIt) {
  Overlay overlay;
  Put(overlay, "k", Answer("d", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "d");
  EXPECT_EQ(Find(overlay, "k", At("e", 11)), "d");
  EXPECT_FALSE(overlay.IsPassed(At("e", 11)));
  EXPECT_EQ(Find(overlay, "k", At("e", 12)), "nothing");
  EXPECT_TRUE(overlay.IsPassed(At("e", 12)));
}

TEST(I3Overlay, KeepsThatContentIsAbsent) {
  Overlay overlay;
  Put(overlay, "k", Answer("", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 11)), "absent");
}

TEST(I3Overlay, DropsAnswersThatAWriteMayHaveChanged) {
  Overlay overlay;
  Put(overlay, "older", Answer("d", At("e", 11)), At("e", 10));
  Put(overlay, "recorded", Answer("", At("e", 12)), At("e", 10));
  overlay.DropOlder(At("e", 12), At("e", 10));
  EXPECT_EQ(Find(overlay, "older", At("e", 10)), "nothing");
  EXPECT_EQ(Find(overlay, "recorded", At("e", 10)), "absent");
  EXPECT_FALSE(overlay.IsComplete(At("e", 11)));
  EXPECT_TRUE(overlay.IsComplete(At("e", 12)));
  overlay.DropOlder(At("e", 11), At("e", 12));
  EXPECT_TRUE(overlay.IsComplete(At("e", 12))) << "it was passed before";
}

TEST(I3Overlay, LateOlderAnswerIsIgnored) {
  Overlay overlay;
  Put(overlay, "k", Answer("new", At("e", 12)), At("e", 10));
  Put(overlay, "k", Answer("old", At("e", 11)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "new");
}

TEST(I3Overlay, KeepsTheAnswerOfANewEpochUntilTheSnapshotCame) {
  Overlay overlay;
  Put(overlay, "k", Answer("d", At("f", 3)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "d");
  EXPECT_EQ(Find(overlay, "k", At("f", 2)), "d");
  EXPECT_EQ(Find(overlay, "k", At("f", 3)), "nothing");
}

TEST(I3Overlay, ForgetsAnOldEpochWithTheReplica) {
  Overlay overlay;
  Put(overlay, "k", Answer("d", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("f", 1)), "nothing");
}

TEST(I3Overlay, WhenFullTheReplicaIsNotTrustedUntilItHasPassedAll) {
  Overlay overlay(2);
  Put(overlay, "a", Answer("1", At("e", 11)), At("e", 10));
  Put(overlay, "b", Answer("2", At("e", 15)), At("e", 10));
  EXPECT_TRUE(overlay.IsComplete(At("e", 10)));
  Put(overlay, "c", Answer("3", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "c", At("e", 10)), "3");
  EXPECT_FALSE(overlay.IsComplete(At("e", 14)));
  EXPECT_TRUE(overlay.IsComplete(At("e", 15)));
}

TEST(I3Overlay, WhenFullPassedAnswersMakeRoom) {
  Overlay overlay(2);
  Put(overlay, "a", Answer("1", At("e", 11)), At("e", 10));
  Put(overlay, "b", Answer("2", At("e", 15)), At("e", 10));
  Put(overlay, "c", Answer("3", At("e", 16)), At("e", 12));
  EXPECT_EQ(Find(overlay, "b", At("e", 12)), "2");
  EXPECT_TRUE(overlay.IsComplete(At("e", 12)));
}

TEST(I3Overlay, FindsTheTagsOfOneRepositoryInOrder) {
  Overlay overlay;
  const RepositoryName r = *RepositoryName::Parse("r");
  const v1::Position applied = At("e", 10);
  for (const char* name : {"q", "r", "r/s", "s"}) {
    const RepositoryName repository = *RepositoryName::Parse(name);
    for (const char* tag : {"b", "a"}) {
      overlay.Put(AskManifest(repository, *Tag::Parse(tag)), Answer("d", At("e", 12)), applied);
    }
    overlay.Put(AskManifest(repository, DigestOf("d")), Answer("d", At("e", 12)), applied);
    overlay.Put(AskBlob(repository, DigestOf("d")), Answer("d", At("e", 12)), applied);
  }
  std::string tags;
  for (const auto& [tag, answer] : overlay.FindTags(r, applied)) tags += tag.ToString();
  EXPECT_EQ(tags, "ab");
  EXPECT_TRUE(overlay.FindTags(r, At("e", 12)).empty());
}

TEST(I3Overlay, FindsTheRepositoriesThatAnAnswerKnows) {
  Overlay overlay;
  const v1::Position applied = At("e", 10);
  StoreAnswer known = Answer("", At("e", 12));
  known.answer.repository_known = true;
  overlay.Put(AskBlob(*RepositoryName::Parse("known"), DigestOf("d")), known, applied);
  overlay.Put(Tagged("a"), Answer("", At("e", 12)), applied);
  const std::set<RepositoryName> expected = {*RepositoryName::Parse("known")};
  EXPECT_EQ(overlay.FindRepositories(applied), expected);
}

}  // namespace
}  // namespace outport::node
