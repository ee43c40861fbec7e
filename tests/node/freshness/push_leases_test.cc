#include "node/freshness/push_leases.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"

namespace outport::node {
namespace {

using namespace std::chrono_literals;

ResolveQuestion Blob(const std::string& content, const std::string& repository = "r") {
  return AskBlob(*RepositoryName::Parse(repository),
                 Digest::Of(DigestAlgorithm::kSha256, AsBytes(content)));
}

class PushLeasesTest : public testing::Test {
 protected:
  store::ManualClock clock_;
  PushLeases leases_{clock_, 3};
};

TEST_F(PushLeasesTest, ALeaseCoversItsFirstHalf) {
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));
  clock_.Advance(4999ms);
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));
  clock_.Advance(1ms);
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
}

TEST_F(PushLeasesTest, ALeaseCountsFromTheQuestion) {
  const auto asked = clock_.SinceBoot();
  clock_.Advance(3s);  // until the answer arrives
  leases_.Record("e", Blob("a"), asked, 10s);
  clock_.Advance(2s);
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
}

TEST_F(PushLeasesTest, ALaterAnswerReplacesTheLease) {
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  clock_.Advance(6s);
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));
}

TEST_F(PushLeasesTest, ALeaseCoversNothingElse) {
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  EXPECT_FALSE(leases_.Covers("e", Blob("b")));
  EXPECT_FALSE(leases_.Covers("e", Blob("a", "other")));
  EXPECT_FALSE(leases_.Covers(
      "e", AskManifest(*RepositoryName::Parse("r"), std::get<Digest>(Blob("a").reference))));
}

// A store that was restored from a backup may lack the lease.
TEST_F(PushLeasesTest, ALeaseEndsWithTheEpochOfTheStore) {
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  EXPECT_FALSE(leases_.Covers("f", Blob("a")));
}

// The store was restored, and the replica has not loaded its snapshot yet.
TEST_F(PushLeasesTest, ALeaseEndsBeforeTheReplicaReachesTheEpochOfTheStore) {
  leases_.BeginEpoch("e");
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  leases_.BeginEpoch("e");  // a new stream to the same store
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));
  leases_.BeginEpoch("f");
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);  // an answer that comes late
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
  leases_.Record("f", Blob("a"), clock_.SinceBoot(), 10s);
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
  EXPECT_TRUE(leases_.Covers("f", Blob("a")));
}

TEST_F(PushLeasesTest, ALeaseOfTheNewEpochOutlivesItsWelcome) {
  leases_.Record("e", Blob("a"), clock_.SinceBoot(), 10s);
  leases_.Record("f", Blob("b"), clock_.SinceBoot(), 10s);
  leases_.BeginEpoch("f");
  EXPECT_FALSE(leases_.Covers("e", Blob("a")));
  EXPECT_TRUE(leases_.Covers("f", Blob("b")));
}

TEST_F(PushLeasesTest, TheLeasesAreBounded) {
  for (const char* content : {"a", "b", "c"}) {
    leases_.Record("e", Blob(content), clock_.SinceBoot(), 10s);
  }
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));  // now the last used one
  leases_.Record("e", Blob("d"), clock_.SinceBoot(), 10s);
  EXPECT_TRUE(leases_.Covers("e", Blob("a")));
  EXPECT_FALSE(leases_.Covers("e", Blob("b")));
  EXPECT_TRUE(leases_.Covers("e", Blob("d")));
}

}  // namespace
}  // namespace outport::node
