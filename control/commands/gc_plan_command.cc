#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <ostream>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/plan_options.h"
#include "control/console/invocation.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"
#include "registry/base/clock.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kPage = 5000;  // the most that the store returns in one answer

struct PlanRun {
  PlanChoice choice;
  uint32_t limit = 1000;
};

std::string NameOf(v1::PlanReason reason) {
  switch (reason) {
    case v1::PLAN_REASON_UNREFERENCED:
      return "unreferenced";
    case v1::PLAN_REASON_UNTAGGED:
      return "untagged";
    case v1::PLAN_REASON_NO_SUBJECT:
      return "no_subject";
    default:
      return "unknown";
  }
}

// Reads the plan page by page, but at most `limit` items. The first page says which plan it is. If
// the store has forgotten that plan and content has changed, the store refuses the next page.
Result<v1::GetPlanResponse> ReadPlan(StoreClient& client, const PlanRun& options) {
  v1::GetPlanRequest request;
  *request.mutable_options() = options.choice.ToOptions();
  request.set_limit(std::min(options.limit, kPage));
  v1::GetPlanResponse plan;
  TRY_VOID(client.Call(&v1::Gc::Stub::GetPlan, request, plan, "planning a run"));
  const uint64_t wanted = std::min<uint64_t>(options.limit, ItemsOf(plan.counts()));
  while (static_cast<uint64_t>(plan.items_size()) < wanted) {
    request.set_plan(plan.plan());
    request.set_offset(static_cast<uint32_t>(plan.items_size()));
    request.set_limit(static_cast<uint32_t>(std::min<uint64_t>(kPage, wanted - request.offset())));
    v1::GetPlanResponse next;
    TRY_VOID(client.Call(&v1::Gc::Stub::GetPlan, request, next, "reading the plan"));
    if (next.items_size() == 0) break;
    plan.mutable_items()->MergeFrom(next.items());
  }
  return plan;
}

boost::json::object ToJson(const v1::PlanItem& item) {
  return {{"kind", item.kind()},
          {"repository", item.repository()},
          {"digest", item.digest()},
          {"reason", NameOf(item.reason())},
          {"since", ToTime(item.since_ms())},
          {"size_bytes", item.size_bytes()},
          {"freed_bytes", item.freed_bytes()},
          {"last_pull", ToTime(item.last_pulled_ms())},
          {"last_pull_at", item.last_pulled_at()}};
}

boost::json::object ToJson(const v1::GetPlanResponse& plan) {
  boost::json::array items;
  for (const v1::PlanItem& item : plan.items()) items.push_back(ToJson(item));
  const boost::json::array nodes(plan.nodes_without_report().begin(),
                                 plan.nodes_without_report().end());
  return {{"plan", plan.plan()},
          {"items", std::move(items)},
          {"links", plan.counts().links()},
          {"manifests", plan.counts().manifests()},
          {"blobs", plan.counts().blobs()},
          {"freed_bytes", plan.freed_bytes()},
          {"freed_later_bytes", plan.freed_later_bytes()},
          {"recently_pulled", plan.recently_pulled()},
          {"last_pull", ToTime(plan.last_pulled_ms())},
          {"last_pull_at", plan.last_pulled_at()},
          {"truncated", plan.cut()},
          {"waiting", plan.waiting()},
          {"next_due", ToTime(plan.next_due_ms())},
          {"nodes_without_report", nodes}};
}

std::string Ago(int64_t time_ms, int64_t now_ms) {
  return SpanText(milliseconds(now_ms - time_ms)) + " ago";
}

// "3h ago at node eu-west", for an item or for a whole plan.
template <class Pulled>
std::string LastPull(const Pulled& pulled, int64_t now_ms) {
  if (pulled.last_pulled_ms() == 0) return "";
  const std::string where =
      pulled.last_pulled_at().empty() ? "the store" : "node " + pulled.last_pulled_at();
  return Ago(pulled.last_pulled_ms(), now_ms) + " at " + where;
}

Table TableOf(const v1::GetPlanResponse& plan, int64_t now_ms) {
  Table table({"kind", "repository", "digest", "reason", "since", "size", "frees", "last_pull"});
  for (const v1::PlanItem& item : plan.items()) {
    table.Add({boost::json::value(item.kind()), boost::json::value(item.repository()),
               boost::json::value(ShortDigest(item.digest())),
               boost::json::value(NameOf(item.reason())),
               boost::json::value(Ago(item.since_ms(), now_ms)),
               boost::json::value(SizeText(item.size_bytes())),
               boost::json::value(SizeText(item.freed_bytes())),
               boost::json::value(LastPull(item, now_ms))});
  }
  return table;
}

// The totals of the plan, what it leaves out, and the command that runs it.
std::string SummaryOf(const v1::GetPlanResponse& plan, int64_t now_ms) {
  std::string text = CountText(plan.counts().links(), "link") + ", " +
                     CountText(plan.counts().manifests(), "manifest") + "; frees " +
                     SizeText(plan.freed_bytes());
  if (plan.freed_later_bytes() > 0) {
    text += ", of this " + SizeText(plan.freed_later_bytes()) +
            " when the grace period of the manifests' blobs ends";
  }
  text += "\n";
  if (plan.recently_pulled() > 0) {
    text += "note: " + CountText(plan.recently_pulled(), "item") +
            " had a pull in the last 7 days, the last one " + LastPull(plan, now_ms) + "\n";
  }
  if (plan.cut()) {
    text += "note: one run removes no more than this; plan again after the run\n";
  }
  if (plan.nodes_without_report_size() > 0) {
    const std::vector<std::string> nodes(plan.nodes_without_report().begin(),
                                         plan.nodes_without_report().end());
    text += "note: untagged manifests wait for reports of recent pulls from: " + Join(nodes) +
            "; to go on without a node, add --ignore-node NAME\n";
  }
  if (plan.waiting() > 0) {
    text += "waiting for the grace period: " + CountText(plan.waiting(), "link");
    if (plan.next_due_ms() != 0) text += ", the first is due at " + ToTime(plan.next_due_ms());
    text += "\n";
  }
  return text;
}

std::string ToText(const v1::GetPlanResponse& plan, int64_t now_ms) {
  if (ItemsOf(plan.counts()) == 0) {
    return "a run would remove nothing now\n" + SummaryOf(plan, now_ms);
  }
  std::string text = TableOf(plan, now_ms).ToText();
  const uint64_t rest = ItemsOf(plan.counts()) - static_cast<uint64_t>(plan.items_size());
  if (rest > 0) text += "... and " + CountText(rest, "item") + " more; see --limit\n";
  return text + "\n" + SummaryOf(plan, now_ms) + "plan: " + plan.plan() +
         "\nrun it: outportctl gc run --plan " + plan.plan() + "\n";
}

Result<void> Plan(const Invocation& invocation, const PlanRun& options) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::GetPlanResponse plan, ReadPlan(client, options));
  if (invocation.json()) {
    invocation.Print(ToJson(plan), "");
    return {};
  }
  invocation.streams.out << ToText(plan, ToUnixMillis(std::chrono::system_clock::now()));
  return {};
}

}  // namespace

void AddGcPlanCommand(const Command& family) {
  auto options = std::make_shared<PlanRun>();  // shared with the callback
  const Command plan = family.AddCommand(
      "plan",
      "Show what a run would remove now: each item with the reason, its size, the bytes that only\n"
      "it holds, and the last known pull. Changes nothing.\n"
      "  outportctl gc plan\n"
      "  outportctl gc plan --delete-untagged --repository 'team/**' -o json");
  options->choice.AddTo(plan);
  plan.AddOption("--limit", options->limit, "Maximum number of items in the list; totals count all")
      .Between(1, 1000000)
      .ShowDefault();
  plan.Run(options, Plan);
}

}  // namespace outport::control
