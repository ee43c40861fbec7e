#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <ostream>
#include <utility>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/printable.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"
#include "outport/v1/retention.grpc.pb.h"
#include "registry/base/clock.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kPage = 5000;  // the most that the store returns in one answer

struct PlanRun {
  std::vector<std::string> ignore_nodes;
  bool drops = false;
  uint32_t limit = 1000;
};

// Reads the plan page by page, but at most `limit` items.
Result<v1::RetentionPlan> ReadPlan(StoreClient& client, const PlanRun& options) {
  v1::GetRetentionPlanRequest request;
  for (const std::string& node : options.ignore_nodes) {
    request.mutable_options()->add_ignore_nodes(node);
  }
  request.set_only_drops(options.drops);
  request.set_limit(std::min(options.limit, kPage));
  v1::RetentionPlan plan;
  TRY_VOID(client.Call(&v1::Retention::Stub::GetPlan, request, plan, "planning a run"));
  while (!plan.next().empty() && static_cast<uint32_t>(plan.items_size()) < options.limit) {
    request.set_plan(plan.plan());
    request.set_after(plan.next());
    request.set_limit(std::min(kPage, options.limit - static_cast<uint32_t>(plan.items_size())));
    v1::RetentionPlan page;
    TRY_VOID(client.Call(&v1::Retention::Stub::GetPlan, request, page, "reading the plan"));
    plan.mutable_items()->MergeFrom(page.items());
    plan.set_next(page.next());
  }
  return plan;
}

// Null without a known pull: an empty text is a pull at the store.
boost::json::value PulledAt(const v1::RetentionItem& item) {
  if (item.pulled_ms() == 0) return nullptr;
  return boost::json::value(item.pulled_at());
}

boost::json::object ToJson(const v1::RetentionItem& item) {
  return {{"repository", item.repository()},
          {"tag", item.tag()},
          {"digest", item.digest()},
          {"keep", item.keep()},
          {"policy", item.policy()},
          {"rule", item.rule()},
          {"pushed", ToTime(item.pushed_ms())},
          {"last_pull", ToTime(item.pulled_ms())},
          {"last_pull_at", PulledAt(item)},
          {"freed_bytes", item.freed_bytes()}};
}

boost::json::object ToJson(const v1::RetentionPlan& plan) {
  boost::json::array items;
  for (const v1::RetentionItem& item : plan.items()) items.push_back(ToJson(item));
  return {{"plan", plan.plan()},
          {"items", std::move(items)},
          {"more", !plan.next().empty()},
          {"repositories", plan.repositories()},
          {"kept_tags", plan.kept_tags()},
          {"deleted_tags", plan.dropped_tags()},
          {"deleted_manifests", plan.dropped_manifests()},
          {"freed_bytes", plan.freed_bytes()},
          {"freed_is_minimum", plan.freed_is_minimum()},
          {"truncated", plan.cut()},
          {"too_large", boost::json::array(plan.too_large().begin(), plan.too_large().end())},
          {"nodes_without_report", boost::json::array(plan.nodes_without_report().begin(),
                                                      plan.nodes_without_report().end())}};
}

std::string Ago(int64_t time_ms, int64_t now_ms) {
  return time_ms == 0 ? "" : SpanText(milliseconds(now_ms - time_ms)) + " ago";
}

Table TableOf(const v1::RetentionPlan& plan, int64_t now_ms) {
  Table table({"repository", "tag", "digest", "decision", "policy", "rule", "pushed", "last_pull",
               "frees"});
  for (const v1::RetentionItem& item : plan.items()) {
    table.Add({boost::json::value(item.repository()), boost::json::value(item.tag()),
               boost::json::value(ShortDigest(item.digest())),
               boost::json::value(item.keep() ? "keep" : "delete"),
               boost::json::value(item.policy()), boost::json::value(item.rule()),
               boost::json::value(Ago(item.pushed_ms(), now_ms)),
               boost::json::value(Ago(item.pulled_ms(), now_ms)),
               boost::json::value(item.keep() ? "" : SizeText(item.freed_bytes()))});
  }
  return table;
}

std::vector<std::string> ListOf(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

std::string SummaryOf(const v1::RetentionPlan& plan) {
  std::string text = CountText(plan.repositories(), "repository", "repositories") +
                     " with a policy: keeps " + CountText(plan.kept_tags(), "tag") + ", deletes " +
                     CountText(plan.dropped_tags(), "tag");
  if (plan.dropped_manifests() > 0) {
    text += " and " + CountText(plan.dropped_manifests(), "untagged manifest");
  }
  text += std::string("; garbage collection can then free ") +
          (plan.freed_is_minimum() ? "at least " : "") + SizeText(plan.freed_bytes()) + "\n";
  if (plan.cut()) text += "note: one run deletes no more than this; plan again after the run\n";
  if (plan.too_large_size() > 0) {
    text += "note: all tags stay in repositories that are too large to evaluate: " +
            Join(ListOf(plan.too_large())) + "\n";
  }
  if (plan.nodes_without_report_size() > 0) {
    text += "note: a run waits for reports of recent pulls from: " +
            Join(ListOf(plan.nodes_without_report())) +
            "; to go on without a node, add --ignore-node NAME\n";
  }
  return text;
}

// Why no repository is in the plan.
Result<std::string> WhyNothing(StoreClient& client) {
  v1::AppliedPolicies applied;
  TRY_VOID(client.Call(&v1::Retention::Stub::GetPolicies, v1::GetPoliciesRequest(), applied,
                       "reading the policies"));
  if (applied.policies().policies_size() == 0) {
    return std::string(
        "there are no policies, so a run would delete nothing; 'outportctl retention apply FILE' "
        "sets policies\n");
  }
  return std::string("no repository matches a policy, so a run would delete nothing\n");
}

// How to run the plan, or what has to happen before.
std::string RunText(const v1::RetentionPlan& plan, const v1::Collector& collector) {
  const std::string id = "plan: " + plan.plan() + "\n";
  const std::string command = "outportctl retention run --plan " + plan.plan();
  if (plan.nodes_without_report_size() == 0) return id + RunHint(collector, command);
  return id + "no run of this plan can start now: reports of recent pulls are missing\n" +
         "run it when the nodes have reported: " + command + "\n";
}

std::string ToText(const v1::RetentionPlan& plan, const v1::Collector& collector, int64_t now_ms) {
  std::string text;
  if (plan.items_size() > 0) text += TableOf(plan, now_ms).ToText();
  if (!plan.next().empty()) text += "... and more; see --limit\n";
  text += (text.empty() ? "" : "\n") + SummaryOf(plan);
  if (plan.dropped_tags() + plan.dropped_manifests() == 0) return text;
  return text + RunText(plan, collector);
}

Result<void> Plan(const Invocation& invocation, const PlanRun& options) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::RetentionPlan plan, ReadPlan(client, options));
  if (invocation.json()) {
    invocation.Print(ToJson(plan), "");
    return {};
  }
  if (plan.repositories() == 0) {
    TRY(const std::string why, WhyNothing(client));
    invocation.streams.out << PrintableLines(why);
    return {};
  }
  v1::Collector collector;
  TRY_VOID(client.Call(&v1::Gc::Stub::GetCollector, v1::GetCollectorRequest(), collector,
                       "reading the state of the collector"));
  invocation.streams.out << PrintableLines(
      ToText(plan, collector, ToUnixMillis(std::chrono::system_clock::now())));
  return {};
}

}  // namespace

void AddRetentionPlanCommand(const Command& family) {
  auto options = std::make_shared<PlanRun>();  // shared with the callback
  const Command plan = family.AddCommand(
      "plan",
      "Show what a run would keep and delete now: each tag with the policy and the rule, the\n"
      "time of its push and last pull, and the bytes that only it holds. Changes nothing.\n"
      "  outportctl retention plan\n"
      "  outportctl retention plan --only-deletions -o json");
  plan.AddFlag("--only-deletions", options->drops, "Leave out the tags that stay");
  plan.AddOption("--ignore-node", options->ignore_nodes,
                 "Do not wait for this node's report of recent pulls; repeatable")
      .NotEmpty();
  plan.AddOption("--limit", options->limit, "Maximum number of items in the list; totals count all")
      .Between(1, 1000000)
      .ShowDefault();
  plan.Run(options, Plan);
}

}  // namespace outport::control
