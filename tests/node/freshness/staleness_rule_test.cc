#include "node/freshness/staleness_rule.h"

#include <gtest/gtest.h>

namespace outport::node {
namespace {

using namespace std::chrono_literals;

struct ClassifyCase {
  const char* what;
  std::optional<std::chrono::nanoseconds> age;
  bool serve_stale;
  Age expected;
};
constexpr ClassifyCase kClassifyCases[] = {
    {"just proven", 0ms, true, Age::kFresh},
    {"at max_staleness", 2000ms, true, Age::kFresh},
    {"beyond max_staleness", 2001ms, true, Age::kStale},
    {"at stale_if_error", 60s, true, Age::kStale},
    {"beyond stale_if_error", 60001ms, true, Age::kNever},
    {"stale answers are disabled", 2001ms, false, Age::kRefused},
    {"at stale_if_error, stale answers are disabled", 60s, false, Age::kRefused},
    {"beyond stale_if_error, stale answers are disabled", 60001ms, false, Age::kNever},
    {"fresh, stale answers are disabled", 2000ms, false, Age::kFresh},
    {"unknown", std::nullopt, true, Age::kNever},
    {"unknown, stale answers are disabled", std::nullopt, false, Age::kNever},
};

TEST(I3StalenessRule, ClassifiesAgesByThePolicy) {
  for (const ClassifyCase& c : kClassifyCases) {
    SCOPED_TRACE(c.what);
    v1::FreshnessPolicy policy;
    policy.set_max_staleness_ms(2000);
    policy.set_stale_if_error_ms(60000);
    policy.set_serve_stale(c.serve_stale);
    EXPECT_EQ(Classify(c.age, policy), c.expected);
  }
}

struct DecisionCase {
  const char* what;
  RequestKind request;
  Local local;
  Age age;
  Decision not_asked;
  Decision unreachable;
};
using enum RequestKind;
using enum Local;
using enum Age;
using enum Decision;
constexpr DecisionCase kDecisionCases[] = {
    {"a fresh tag", kTag, kFound, kFresh, kAnswer, kAnswer},
    {"a stale tag", kTag, kFound, kStale, kAskStore, kAnswerStale},
    {"a tag that the policy refuses", kTag, kFound, kRefused, kAskStore, kUnavailable},
    {"a tag that is too old", kTag, kFound, kNever, kAskStore, kUnavailable},
    {"a tag that the node lacks", kTag, kAbsent, kFresh, kAskStore, kUnavailable},
    {"a tag of an unknown repository", kTag, kNoRepository, kFresh, kAskStore, kUnavailable},
    {"a fresh digest", kDigest, kFound, kFresh, kAnswer, kAnswer},
    {"a stale digest", kDigest, kFound, kStale, kAnswer, kAnswer},
    {"a stale digest where tags are refused", kDigest, kFound, kRefused, kAnswer, kAnswer},
    {"a digest that the store may have removed", kDigest, kFound, kNever, kAskStore, kAnswer},
    {"a digest that the node lacks", kDigest, kAbsent, kFresh, kAskStore, kUnavailable},
    {"a fresh blob", kBlob, kFound, kFresh, kAnswer, kAnswer},
    {"a stale blob", kBlob, kFound, kStale, kAnswer, kAnswer},
    {"a stale blob where tags are refused", kBlob, kFound, kRefused, kAnswer, kAnswer},
    {"a blob that the store may have removed", kBlob, kFound, kNever, kAskStore, kAnswer},
    {"a blob that the node lacks", kBlob, kAbsent, kFresh, kAskStore, kUnavailable},
    {"fresh tags", kTagList, kFound, kFresh, kAnswer, kAnswer},
    {"stale tags", kTagList, kFound, kStale, kAskStore, kAnswerStale},
    {"tags that are too old", kTagList, kFound, kNever, kAskStore, kUnavailable},
    {"tags of an unknown repository", kTagList, kNoRepository, kFresh, kAskStore, kUnavailable},
    {"a fresh catalog", kCatalog, kFound, kFresh, kAnswer, kAnswer},
    {"a fresh and empty catalog", kCatalog, kAbsent, kFresh, kAnswer, kAnswer},
    {"a stale catalog", kCatalog, kFound, kStale, kAskStore, kAnswerStale},
    {"a catalog that is too old", kCatalog, kFound, kNever, kAskStore, kUnavailable},
    {"fresh referrers", kReferrers, kFound, kFresh, kAnswer, kAnswer},
    {"stale referrers", kReferrers, kFound, kStale, kAskStore, kAnswerStale},
    {"referrers that are too old", kReferrers, kFound, kNever, kAskStore, kUnavailable},
    {"no referrers, fresh", kReferrers, kAbsent, kFresh, kAskStore, kAnswer},
    {"no referrers, stale", kReferrers, kAbsent, kStale, kAskStore, kAnswerStale},
    {"referrers in an unknown repository, fresh", kReferrers, kNoRepository, kFresh, kAskStore,
     kAnswer},
    {"referrers in an unknown repository, stale", kReferrers, kNoRepository, kStale, kAskStore,
     kUnavailable},
};

TEST(I3StalenessRule, DecidesWhetherTheNodeMayAnswer) {
  for (const DecisionCase& c : kDecisionCases) {
    SCOPED_TRACE(c.what);
    EXPECT_EQ(Decide(c.request, c.local, c.age, StoreState::kNotAsked), c.not_asked);
    EXPECT_EQ(Decide(c.request, c.local, c.age, StoreState::kUnreachable), c.unreachable);
  }
}

TEST(I3StalenessRule, DecidesEveryCase) {
  for (const RequestKind request : {kTag, kDigest, kBlob, kTagList, kCatalog, kReferrers}) {
    for (const Local local : {kFound, kAbsent, kNoRepository}) {
      for (const Age age : {kFresh, kStale, kRefused, kNever}) {
        const Decision first = Decide(request, local, age, StoreState::kNotAsked);
        EXPECT_TRUE(first == kAnswer || first == kAskStore);
        EXPECT_NE(Decide(request, local, age, StoreState::kUnreachable), kAskStore);
      }
    }
  }
}

}  // namespace
}  // namespace outport::node
