#include "node/freshness/staleness_rule.h"

#include <algorithm>
#include <array>

namespace outport::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

struct Rule {
  RequestKind request;
  std::optional<Local> local;  // nullopt: any value matches
  std::optional<Age> age;      // nullopt: any value matches
  Decision not_asked;
  Decision unreachable;
};

constexpr auto kAny = std::nullopt;

// The first rule that matches applies. Only the store can say that a content does not exist. The
// content of a digest never changes, but the store's garbage collector may remove it when no node
// may serve it as stale any more. So a node with older rows asks the store for the content.
constexpr std::array kRules = {
    // request, local, age, store not asked, store unreachable
    Rule{RequestKind::kTag, Local::kFound, Age::kFresh, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kTag, Local::kFound, Age::kStale, Decision::kAskStore,
         Decision::kAnswerStale},
    Rule{RequestKind::kTag, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},

    Rule{RequestKind::kDigest, Local::kFound, Age::kNever, Decision::kAskStore, Decision::kAnswer},
    Rule{RequestKind::kDigest, Local::kFound, kAny, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kDigest, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},

    Rule{RequestKind::kBlob, Local::kFound, Age::kNever, Decision::kAskStore, Decision::kAnswer},
    Rule{RequestKind::kBlob, Local::kFound, kAny, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kBlob, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},

    Rule{RequestKind::kTagList, Local::kFound, Age::kFresh, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kTagList, Local::kFound, Age::kStale, Decision::kAskStore,
         Decision::kAnswerStale},
    Rule{RequestKind::kTagList, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},

    // The catalog always exists: an empty list is a valid answer.
    Rule{RequestKind::kCatalog, kAny, Age::kFresh, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kCatalog, kAny, Age::kStale, Decision::kAskStore, Decision::kAnswerStale},
    Rule{RequestKind::kCatalog, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},

    // If the node has no referrers, it asks the store, so that every node finds a signature that a
    // client has just pushed.
    Rule{RequestKind::kReferrers, Local::kFound, Age::kFresh, Decision::kAnswer, Decision::kAnswer},
    Rule{RequestKind::kReferrers, kAny, Age::kFresh, Decision::kAskStore, Decision::kAnswer},
    Rule{RequestKind::kReferrers, Local::kNoRepository, Age::kStale, Decision::kAskStore,
         Decision::kUnavailable},
    Rule{RequestKind::kReferrers, kAny, Age::kStale, Decision::kAskStore, Decision::kAnswerStale},
    Rule{RequestKind::kReferrers, kAny, kAny, Decision::kAskStore, Decision::kUnavailable},
};

prometheus::Counter& Count(Metrics& metrics, const std::string& result) {
  return metrics.Counter("outport_node_store_unreachable_answers_total",
                         "Requests handled while the store was unreachable, by result.",
                         {{"result", result}});
}

std::string WhyUnavailable(Local local, std::optional<nanoseconds> age) {
  if (local != Local::kFound) return "this node has no copy of the content";
  if (!age.has_value()) return "the age of this node's copy is unknown";
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(*age);
  return "this node's copy is " + std::to_string(seconds.count()) +
         " seconds old, which the store's policy does not allow";
}

}  // namespace

Age Classify(std::optional<nanoseconds> age, const v1::FreshnessPolicy& policy) {
  if (!age.has_value()) return Age::kNever;
  if (*age <= milliseconds(policy.max_staleness_ms())) return Age::kFresh;
  if (*age > milliseconds(policy.stale_if_error_ms())) return Age::kNever;
  return policy.serve_stale() ? Age::kStale : Age::kRefused;
}

Local LocalOf(const ResolveAnswer& answer) {
  if (answer.found()) return Local::kFound;
  return answer.repository_known ? Local::kAbsent : Local::kNoRepository;
}

Decision Decide(RequestKind request, Local local, Age age, StoreState store) {
  const auto* rule = std::ranges::find_if(kRules, [&](const Rule& rule) {
    return rule.request == request && rule.local.value_or(local) == local &&
           rule.age.value_or(age) == age;
  });
  return store == StoreState::kNotAsked ? rule->not_asked : rule->unreachable;
}

StalenessRule::StalenessRule(const Replica& replica, const Freshness& freshness, Metrics& metrics)
    : replica_(replica),
      freshness_(freshness),
      stale_(Count(metrics, "stale")),
      rejected_(Count(metrics, "rejected")) {}

bool StalenessRule::MayAnswer(RequestKind request, Local local,
                              std::optional<nanoseconds> age) const {
  const Age classified = Classify(age, replica_.policy());
  return Decide(request, local, classified, StoreState::kNotAsked) == Decision::kAnswer;
}

bool StalenessRule::MayAnswerWithoutStore(RequestKind request, Local local,
                                          std::optional<nanoseconds> age) const {
  const Age classified = Classify(age, replica_.policy());
  return Decide(request, local, classified, StoreState::kUnreachable) == Decision::kAnswer;
}

Result<std::optional<Staleness>> StalenessRule::AnswerWithoutStore(RequestKind request, Local local,
                                                                   std::optional<nanoseconds> age,
                                                                   const std::string& what) const {
  switch (Decide(request, local, Classify(age, replica_.policy()), StoreState::kUnreachable)) {
    case Decision::kAnswer:
      return std::optional<Staleness>();
    case Decision::kAnswerStale:
      stale_.Increment();
      return std::optional(Staleness{std::chrono::ceil<std::chrono::seconds>(*age)});
    case Decision::kAskStore:
    case Decision::kUnavailable:
      break;
  }
  if (local == Local::kFound) rejected_.Increment();
  return Error{ErrorCode::kUnavailable, what + ": the store is unreachable, and " +
                                            WhyUnavailable(local, age) + "; try again later"};
}

}  // namespace outport::node
