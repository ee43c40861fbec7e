#include <memory>

#include "registry/records/rows.h"
#include "tests/store/retention/retention_fixture.h"

namespace outport::store {
namespace {

using std::chrono::hours;
using testing::ElementsAre;

// The tag by which tools find the signature of an image without the API for referrers.
std::string SignatureTag(const Digest& subject) { return "sha256-" + subject.hex() + ".sig"; }

TEST_F(RetentionTest, ATaggedReferrerStaysWithItsSubject) {
  Apply(kLastOne);
  Push("ci/app", {"1"});
  const Digest subject = Sha256(ImageManifest({"layer of ci/app1"}));
  Push("ci/app", {SignatureTag(subject)});
  ASSERT_TRUE(store.PushBlob("ci/app", "{}").has_value());
  ASSERT_TRUE(store.PushManifest("ci/app", "sbom", ImageManifest({"{}"}, SubjectJson(subject)))
                  .has_value());
  Push("ci/app", {"2"});
  EXPECT_THAT(Texts(Plan()), ElementsAre("drop ci/app:1 by ci: no condition holds: entry 1",
                                         "keep ci/app:2 by ci: entry 1: last_pushed 1",
                                         "keep ci/app:sbom by ci: its subject is in the repository",
                                         "keep ci/app:" + SignatureTag(subject) +
                                             " by ci: its subject is in the repository"));
  EXPECT_EQ(Run().removed().tags(), 1u);
  EXPECT_TRUE(HasManifest("ci/app", "sbom"));
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  // Without their subject they are tags like others.
  ASSERT_TRUE(store.DeleteManifest("ci/app", subject.ToString()).has_value());
  EXPECT_EQ(Run().removed().tags(), 2u);
  EXPECT_FALSE(HasManifest("ci/app", "sbom"));
  EXPECT_FALSE(HasManifest("ci/app", SignatureTag(subject)));
  EXPECT_TRUE(HasManifest("ci/app", "2"));
  ExpectConsistent();
}

TEST_F(RetentionTest, ATaggedReferrerDoesNotKeepItsSubject) {
  Apply(std::string(kLastOne) + "    untagged: {keep_for: 1h}\n");
  Push("ci/app", {"1"});
  const Digest subject = Sha256(ImageManifest({"layer of ci/app1"}));
  Push("ci/app", {SignatureTag(subject)});
  ASSERT_TRUE(store.PushBlob("ci/app", "{}").has_value());
  ASSERT_TRUE(store.PushManifest("ci/app", "sbom", ImageManifest({"{}"}, SubjectJson(subject)))
                  .has_value());
  Push("ci/app", {"2"});
  EXPECT_EQ(Run().removed().tags(), 1u);
  store.clock.Advance(hours(37));
  EXPECT_EQ(Run().removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", subject.ToString()));
  EXPECT_EQ(Plan().dropped_tags(), 2u) << "its referrers are tags like others now";
}

TEST_F(RetentionTest, ASubjectThatComesDuringTheRunKeepsItsReferrers) {
  Apply(kLastOne);
  const Digest subject = Sha256(ImageManifest({"layer of ci/app3"}));
  Push("ci/app", {SignatureTag(subject), "2"});
  ASSERT_EQ(Plan().dropped_tags(), 1u);
  ASSERT_TRUE(Start().has_value());
  Push("ci/app", {"3"});
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
}

// The run waits for a push of the subject that has begun, and then keeps the tag.
TEST_F(RetentionTest, ASubjectWhosePushIsInProgressKeepsItsReferrers) {
  Apply(kLastOne);
  const Digest subject = Sha256(ImageManifest({"layer of ci/app3"}));
  Push("ci/app", {SignatureTag(subject), "2"});
  ASSERT_TRUE(Start().has_value());
  std::unique_ptr<MetaTransaction> push = store.meta->Begin();
  ASSERT_TRUE(push->GetForUpdate(keys::ManifestOf(Repo("ci/app"), subject)).has_value());
  static_cast<void>((*collector)->Step());
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  push.reset();  // its locks go; the next push stands for its commit
  Push("ci/app", {"3"});
  collector->Work();
  EXPECT_TRUE(HasManifest("ci/app", SignatureTag(subject)));
  EXPECT_EQ(collector->LastRun().kept(), 1u);
  EXPECT_EQ(collector->LastRun().state(), v1::RUN_STATE_DONE);
}

TEST_F(RetentionTest, ThePlanHasTheManyReferrersOfARemovedSubject) {
  constexpr size_t kReferrers = 300;  // more than the removal makes candidates of
  Apply("policies:\n  - {name: ci, repositories: [ci/app], untagged: {keep_for: 7d}}\n");
  const std::string image = ImageManifest({"config"});
  ASSERT_TRUE(store.PushImage("ci/app", "1", {"config"}).has_value());
  for (size_t i = 0; i < kReferrers; ++i) {
    const std::string extra =
        SubjectJson(Sha256(image)) + R"(,"annotations":{"n":")" + std::to_string(i) + "\"}";
    ASSERT_TRUE(store.PushTagged("ci/app", ImageManifest({"config"}, extra), {}).has_value());
  }
  collector->WorkAfter(hours(37));
  EXPECT_EQ(collector->RunUntagged().removed().manifests(), 0u) << "they are no candidates now";
  collector->Pause();
  ASSERT_TRUE(store.DeleteManifest("ci/app", Sha256(image).ToString()).has_value());
  store.clock.Advance(hours(6 * 24));
  EXPECT_EQ(Plan().dropped_manifests(), 0u);
  store.clock.Advance(hours(25));
  const v1::RetentionPlan plan = Plan();
  EXPECT_EQ(plan.dropped_manifests(), kReferrers);
  collector->Resume();
  EXPECT_EQ(Run(plan.plan()).removed().manifests(), kReferrers);
  ExpectConsistent();
}

// The tag goes at once. Manifest and layer go one after the other, each after a grace period.
TEST_F(RetentionTest, I7WhatLosesItsTagStaysForTheGracePeriod) {
  Apply(std::string(kLastOne) + "    untagged: {keep_for: 1h}\n");
  Push("ci/app", {"1", "2"});
  const std::string digest = Sha256(ImageManifest({"layer of ci/app1"})).ToString();
  EXPECT_EQ(Run().removed().tags(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", "1"));
  store.clock.Advance(hours(35));
  EXPECT_EQ(Run().removed().manifests(), 0u);
  EXPECT_TRUE(HasManifest("ci/app", digest)) << "a client that knows the digest still pulls it";
  store.clock.Advance(hours(2));
  EXPECT_EQ(Run().removed().manifests(), 1u);
  EXPECT_FALSE(HasManifest("ci/app", digest));
  collector->WorkAfter(hours(35));
  EXPECT_TRUE(HasBlob("ci/app", "layer of ci/app1"));
  collector->WorkAfter(hours(2));
  EXPECT_FALSE(HasBlob("ci/app", "layer of ci/app1"));
}

}  // namespace
}  // namespace outport::store
