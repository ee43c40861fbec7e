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

Resolved Answer(const std::string& digest, const v1::Position& head) {
  Resolved resolved;
  resolved.answer.set_found(!digest.empty());
  resolved.answer.set_digest(digest);
  *resolved.answer.mutable_head() = head;
  resolved.replica_epoch = "e";
  return resolved;
}

std::string Find(Overlay& overlay, const std::string& key, const v1::Position& applied) {
  const auto found = overlay.Find(key, applied);
  if (!found.has_value()) return "nothing";
  return found->answer.found() ? found->answer.digest() : "absent";
}

TEST(I3Overlay, KeepsAnAnswerUntilTheReplicaHasPassedIt) {
  Overlay overlay;
  overlay.Put("k", Answer("d", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "d");
  EXPECT_EQ(Find(overlay, "k", At("e", 11)), "d");
  EXPECT_FALSE(overlay.IsPassed(At("e", 11)));
  EXPECT_EQ(Find(overlay, "k", At("e", 12)), "nothing");
  EXPECT_TRUE(overlay.IsPassed(At("e", 12)));
}

TEST(I3Overlay, KeepsThatSomethingIsGone) {
  Overlay overlay;
  overlay.Put("k", Answer("", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 11)), "absent");
}

TEST(I3Overlay, DistrustsWhatAWriteMayHaveChanged) {
  Overlay overlay;
  overlay.Put("older", Answer("d", At("e", 11)), At("e", 10));
  overlay.Put("learnt", Answer("", At("e", 12)), At("e", 10));
  overlay.Distrust(At("e", 12), At("e", 10));
  EXPECT_EQ(Find(overlay, "older", At("e", 10)), "nothing");
  EXPECT_EQ(Find(overlay, "learnt", At("e", 10)), "absent");
  EXPECT_FALSE(overlay.IsComplete(At("e", 11)));
  EXPECT_TRUE(overlay.IsComplete(At("e", 12)));
  overlay.Distrust(At("e", 11), At("e", 12));
  EXPECT_TRUE(overlay.IsComplete(At("e", 12))) << "it was passed before";
}

TEST(I3Overlay, OlderAnswerThatComesLateIsLeftOut) {
  Overlay overlay;
  overlay.Put("k", Answer("new", At("e", 12)), At("e", 10));
  overlay.Put("k", Answer("old", At("e", 11)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "new");
}

TEST(I3Overlay, KeepsTheAnswerOfANewEpochUntilTheSnapshotCame) {
  Overlay overlay;
  overlay.Put("k", Answer("d", At("f", 3)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("e", 10)), "d");
  EXPECT_EQ(Find(overlay, "k", At("f", 2)), "d");
  EXPECT_EQ(Find(overlay, "k", At("f", 3)), "nothing");
}

TEST(I3Overlay, ForgetsAnOldEpochWithTheReplica) {
  Overlay overlay;
  overlay.Put("k", Answer("d", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "k", At("f", 1)), "nothing");
}

TEST(I3Overlay, WhenFullTheReplicaIsNotTrustedUntilItHasPassedAll) {
  Overlay overlay(2);
  overlay.Put("a", Answer("1", At("e", 11)), At("e", 10));
  overlay.Put("b", Answer("2", At("e", 15)), At("e", 10));
  EXPECT_TRUE(overlay.IsComplete(At("e", 10)));
  overlay.Put("c", Answer("3", At("e", 12)), At("e", 10));
  EXPECT_EQ(Find(overlay, "c", At("e", 10)), "3");
  EXPECT_FALSE(overlay.IsComplete(At("e", 14)));
  EXPECT_TRUE(overlay.IsComplete(At("e", 15)));
}

TEST(I3Overlay, WhenFullWhatIsPassedMakesRoom) {
  Overlay overlay(2);
  overlay.Put("a", Answer("1", At("e", 11)), At("e", 10));
  overlay.Put("b", Answer("2", At("e", 15)), At("e", 10));
  overlay.Put("c", Answer("3", At("e", 16)), At("e", 12));
  EXPECT_EQ(Find(overlay, "b", At("e", 12)), "2");
  EXPECT_TRUE(overlay.IsComplete(At("e", 12)));
}

}  // namespace
}  // namespace outport::node
