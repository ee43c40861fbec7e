#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/commands/confirmation.h"
#include "control/commands/plan_options.h"
#include "control/console/invocation.h"
#include "control/console/printable.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/records/keys.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;

constexpr uint32_t kPage = 5000;  // the most that the store returns in one answer

struct PlanRun {
  PlanChoice choice;
  std::string within;
  uint32_t limit = 1000;

  // Returns the options of the plan.
  Result<v1::PlanOptions> ToOptions() const {
    v1::PlanOptions options = choice.ToOptions();
    if (within.empty()) return options;
    TRY(const milliseconds span, ParseSpan("--within", within));
    options.set_within_ms(span.count());
    return options;
  }
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
Result<v1::GetPlanResponse> ReadPlan(StoreClient& client, const v1::PlanOptions& options,
                                     uint32_t limit) {
  v1::GetPlanRequest request;
  *request.mutable_options() = options;
  request.set_limit(std::min(limit, kPage));
  v1::GetPlanResponse plan;
  TRY_VOID(client.Call(&v1::Gc::Stub::GetPlan, request, plan, "planning a run"));
  const uint64_t wanted = std::min<uint64_t>(limit, ItemsOf(plan.counts()));
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

// The node of the last pull, "" for the store, or null if no pull is known.
template <class Pulled>
boost::json::value PulledAt(const Pulled& pulled) {
  if (pulled.last_pulled_ms() == 0) return nullptr;
  return boost::json::value(pulled.last_pulled_at());
}

boost::json::object ToJson(const v1::PlanItem& item) {
  return {{"kind", item.kind()},
          {"repository", item.repository()},
          {"digest", item.digest()},
          {"reason", NameOf(item.reason())},
          {"since", ToTime(item.since_ms())},
          {"due", ToTime(item.due_ms())},
          {"size_bytes", item.size_bytes()},
          {"freed_bytes", item.freed_bytes()},
          {"last_pull", ToTime(item.last_pulled_ms())},
          {"last_pull_at", PulledAt(item)}};
}

// A plan that nobody can run has no name.
boost::json::object ToJson(const v1::GetPlanResponse& plan, const v1::PlanOptions& options) {
  boost::json::array items;
  for (const v1::PlanItem& item : plan.items()) items.push_back(ToJson(item));
  const boost::json::array nodes(plan.nodes_without_report().begin(),
                                 plan.nodes_without_report().end());
  const bool runnable = options.within_ms() == 0;
  return {{"plan", runnable ? boost::json::value(plan.plan()) : nullptr},
          {"items", std::move(items)},
          {"links", plan.counts().links()},
          {"manifests", plan.counts().manifests()},
          {"blobs", plan.counts().blobs()},
          {"freed_bytes", plan.freed_bytes()},
          {"freed_later_bytes", plan.freed_later_bytes()},
          {"freed_is_minimum", plan.freed_is_minimum()},
          {"recently_pulled", plan.recently_pulled()},
          {"last_pull", ToTime(plan.last_pulled_ms())},
          {"last_pull_at", PulledAt(plan)},
          {"truncated", plan.cut()},
          {"waiting", plan.waiting()},
          {"no_repository", plan.no_repository()},
          {"next_due", ToTime(plan.next_due_ms())},
          {"nodes_without_report", nodes}};
}

// Returns the time of the plan by the clock of the store, which counts for its items. The id of the
// plan begins with it. The clock of this machine may differ.
int64_t TimeOf(const v1::GetPlanResponse& plan) {
  const std::string& id = plan.plan();
  const auto time_ms = keys::ParseTimeText(std::string_view(id).substr(0, id.find('-')));
  return time_ms.value_or(ToUnixMillis(std::chrono::system_clock::now()));
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

// "in 3h", or "now". Empty for a manifest, which only a run removes.
std::string DueText(const v1::PlanItem& item, int64_t now_ms) {
  if (item.due_ms() == 0) return "";
  return item.due_ms() <= now_ms ? "now" : "in " + SpanText(milliseconds(item.due_ms() - now_ms));
}

// With `with_due`, a column says when the collector removes each item.
Table TableOf(const v1::GetPlanResponse& plan, int64_t now_ms, bool with_due) {
  std::vector<std::string> columns{"kind", "repository", "digest", "reason", "since"};
  if (with_due) columns.emplace_back("due");
  for (const char* column : {"size", "frees", "last_pull"}) columns.emplace_back(column);
  Table table(columns);
  for (const v1::PlanItem& item : plan.items()) {
    std::vector<boost::json::value> row;
    row.emplace_back(item.kind());
    row.emplace_back(item.repository());
    row.emplace_back(ShortDigest(item.digest()));
    row.emplace_back(NameOf(item.reason()));
    row.emplace_back(Ago(item.since_ms(), now_ms));
    if (with_due) row.emplace_back(DueText(item, now_ms));
    row.emplace_back(SizeText(item.size_bytes()));
    row.emplace_back(SizeText(item.freed_bytes()));
    row.emplace_back(LastPull(item, now_ms));
    table.Add(std::move(row));
  }
  return table;
}

// The facts that the text of a plan states and the plan does not have.
struct Context {
  const v1::PlanOptions& options;
  const v1::Collector& collector;
  int64_t now_ms = 0;
  std::string within = {};  // empty unless the plan also has links that are not due yet
};

// The notes about untagged manifests that are not in the plan.
std::string UntaggedText(const v1::GetPlanResponse& plan, const v1::Collector& collector) {
  if (plan.nodes_without_report_size() > 0) {
    const std::vector<std::string> nodes(plan.nodes_without_report().begin(),
                                         plan.nodes_without_report().end());
    return "note: untagged manifests wait for reports of recent pulls from: " + Join(nodes) +
           "; to go on without a node, add --ignore-node NAME\n";
  }
  return "note: untagged manifests whose grace period (" +
         SpanText(milliseconds(collector.grace_ms())) +
         ") has not passed are not in the plan, and not counted\n";
}

// The totals of the plan, and what it leaves out.
std::string SummaryOf(const v1::GetPlanResponse& plan, const Context& context) {
  std::string text = CountText(plan.counts().links(), "link") + ", " +
                     CountText(plan.counts().manifests(), "manifest") + "; frees " +
                     (plan.freed_is_minimum() ? "at least " : "") + SizeText(plan.freed_bytes());
  if (plan.freed_later_bytes() > 0) {
    text += ", of this " + SizeText(plan.freed_later_bytes()) +
            " later, because the manifests' blobs and children have a grace period of their own";
  }
  text += "\n";
  if (plan.recently_pulled() > 0) {
    text += "note: " + CountText(plan.recently_pulled(), "item") +
            " had a pull in the last 7 days, the last one " + LastPull(plan, context.now_ms) + "\n";
  }
  if (plan.cut()) {
    text += "note: one run removes no more than this; plan again after the run\n";
  }
  if (context.options.delete_untagged()) text += UntaggedText(plan, context.collector);
  if (plan.waiting() > 0) {
    text += "waiting for the grace period: " + CountText(plan.waiting(), "link");
    if (plan.next_due_ms() != 0) text += ", the first is due at " + ToTime(plan.next_due_ms());
    text += "\n";
  }
  return text;
}

std::string NothingText(const v1::GetPlanResponse& plan, const Context& context) {
  if (plan.no_repository()) {
    return "no repository matches '" + context.options.repositories() + "'\n";
  }
  if (context.within.empty()) return "a run would remove nothing now\n";
  return "no link is due within " + context.within +
         (context.options.delete_untagged() ? ", and a run would remove no manifest now\n" : "\n");
}

// How the items of the plan go.
std::string EndOf(const v1::GetPlanResponse& plan, const Context& context) {
  if (context.within.empty()) {
    return "plan: " + plan.plan() + "\n" +
           RunHint(context.collector, "outportctl gc run --plan " + plan.plan());
  }
  std::string text;
  if (plan.counts().links() > 0) {
    const std::string block = BlockOf(context.collector);
    text += block.empty() ? "the collector removes each link by itself when it is due\n"
                          : "no link goes now: " + block + "\n";
  }
  if (plan.counts().manifests() > 0) {
    text += "only a run removes the manifests; plan without --within, and run that plan\n";
  }
  return text;
}

std::string ToText(const v1::GetPlanResponse& plan, const Context& context) {
  if (ItemsOf(plan.counts()) == 0) return NothingText(plan, context) + SummaryOf(plan, context);
  std::string text = TableOf(plan, context.now_ms, !context.within.empty()).ToText();
  const uint64_t rest = ItemsOf(plan.counts()) - static_cast<uint64_t>(plan.items_size());
  if (rest > 0) text += "... and " + CountText(rest, "item") + " more; see --limit\n";
  return text + "\n" + SummaryOf(plan, context) + EndOf(plan, context);
}

Result<void> Plan(const Invocation& invocation, const PlanRun& options) {
  TRY(const v1::PlanOptions wanted, options.ToOptions());
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::GetPlanResponse plan, ReadPlan(client, wanted, options.limit));
  if (invocation.json()) {
    invocation.Print(ToJson(plan, wanted), "");
    return {};
  }
  v1::Collector collector;
  TRY_VOID(client.Call(&v1::Gc::Stub::GetCollector, v1::GetCollectorRequest(), collector,
                       "reading the state of the collector"));
  const Context context{.options = wanted,
                        .collector = collector,
                        .now_ms = TimeOf(plan),
                        .within = wanted.within_ms() == 0 ? "" : options.within};
  invocation.streams.out << PrintableLines(ToText(plan, context));
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
      "  outportctl gc plan --within 36h\n"
      "  outportctl gc plan --delete-untagged --repository 'team/**' -o json");
  options->choice.AddTo(plan);
  plan.AddOption("--within", options->within,
                 "Also show the links that the collector removes by itself within this time; of "
                 "manifests, only those that a run would remove now. Nobody can run such a plan")
      .NotEmpty();
  plan.AddOption("--limit", options->limit, "Maximum number of items in the list; totals count all")
      .Between(1, 1000000)
      .ShowDefault();
  plan.Run(options, Plan);
}

}  // namespace outport::control
