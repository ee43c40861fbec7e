#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <chrono>
#include <utility>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/commands/plan_options.h"
#include "control/commands/run_following.h"
#include "control/console/invocation.h"
#include "control/console/progress.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;
using Stub = v1::Gc::Stub;

// --- gc run

struct StartRun {
  PlanChoice choice;
  std::string plan;
  WaitOptions waiting;
};

Result<void> Run(const Invocation& invocation, const StartRun& options) {
  TRY_VOID(ParseSpan("--timeout", options.waiting.timeout));
  InterruptibleWait wait;
  TRY(StoreClient client, invocation.Connect());
  v1::StartRunRequest request;
  request.set_plan(options.plan);
  if (options.plan.empty()) *request.mutable_options() = options.choice.ToOptions();
  v1::RunRow run;
  TRY_VOID(client.Call(&Stub::StartRun, request, run, "starting the run"));
  return FollowRun(invocation, client, std::move(run), options.waiting, wait);
}

void AddRun(const Command& family) {
  auto options = std::make_shared<StartRun>();  // shared with the callback
  const Command run = family.AddCommand(
      "run",
      "Remove what a plan lists, or everything that is due now. What is in use again when its\n"
      "turn comes stays, and what is gone already is counted. Removed content is hidden at\n"
      "once; its disk space is freed when the trash window ends, and until then 'gc undo'\n"
      "restores it. Ctrl-C ends only the wait.\n"
      "  outportctl gc run --plan 0000019a1f3c4a10-3-8d0f5a1c6b2e4f70913a5c7d9e0b2f46\n"
      "  outportctl gc run --delete-untagged --repository 'team/**'");
  const Option plan = run.AddOption("--plan", options->plan,
                                    "Run exactly this plan; fails if an item is in use again")
                          .NotEmpty();
  for (const Option& choice : options->choice.AddTo(run)) plan.Excludes(choice);
  options->waiting.AddTo(run);
  run.Run(options, Run);
}

// --- gc undo

struct Undo {
  std::string run;
  WaitOptions waiting;
};

// The numbers add up to what the run had removed.
std::string UndoneText(const v1::RunRow& run) {
  std::string text = "run " + run.id() + " undone: restored " + ToText(run.restored());
  if (ItemsOf(run.removed()) == 0) return text + ", because it had removed nothing";
  if (const uint64_t left = LeftAsIs(run); left > 0) {
    text += "; " + CountText(left, "item") + (left == 1 ? " stays as it is" : " stay as they are") +
            ": there already, or changed since";
  }
  if (run.not_restored() > 0) {
    text += "; " + CountText(run.not_restored(), "item") +
            " could not be restored: freed, gone or protected";
  }
  return text;
}

Result<void> UndoRun(const Invocation& invocation, const Undo& options) {
  TRY(const milliseconds timeout, ParseSpan("--timeout", options.waiting.timeout));
  InterruptibleWait wait;
  TRY(StoreClient client, invocation.Connect());
  v1::UndoRunRequest request;
  request.set_id(options.run);
  v1::RunRow run;
  TRY_VOID(client.Call(&Stub::UndoRun, request, run, "undoing run " + options.run));
  if (!options.waiting.wait) {
    invocation.Print(JsonOf(run),
                     "undo of run " + run.id() + " started; see 'outportctl gc history'");
    return {};
  }
  const RunWork work{
      .done = [](const v1::RunRow& row) { return row.state() != v1::RUN_STATE_UNDOING; },
      .progress =
          [](const v1::RunRow& row) {
            return "run " + row.id() + ": restored " + Share(row.restored(), row.removed());
          }};
  TRY(run, Follow(invocation, client, std::move(run), work, wait, timeout));
  if (run.state() != v1::RUN_STATE_UNDONE) {
    const std::string why = run.failure().empty() ? "the trash window has ended" : run.failure();
    return Error{
        ErrorCode::kFailedPrecondition,
        "run " + run.id() + " is not undone; it restored " + ToText(run.restored()) + ": " + why};
  }
  invocation.Print(JsonOf(run), UndoneText(run));
  return {};
}

void AddUndo(const Command& family) {
  auto options = std::make_shared<Undo>();  // shared with the callback
  const Command undo = family.AddCommand(
      "undo",
      "Restore what a run removed, while it is in the trash: manifests, their tags, blobs. Tags\n"
      "that were set or deleted again meanwhile stay as they are.\n"
      "  outportctl gc undo 0000019a1f3c5e80-7d41b2c9");
  undo.AddOption("RUN", options->run, "Id of the run, from 'gc history'").Required().NotEmpty();
  options->waiting.AddTo(undo);
  undo.Run(options, UndoRun);
}

// --- gc history

struct History {
  uint32_t limit = 20;
};

Result<std::vector<v1::RunRow>> ReadRuns(StoreClient& client, uint32_t limit) {
  std::vector<v1::RunRow> runs;
  v1::ListRunsRequest request;
  while (runs.size() < limit) {
    request.set_limit(limit - static_cast<uint32_t>(runs.size()));
    v1::ListRunsResponse response;
    TRY_VOID(client.Call(&Stub::ListRuns, request, response, "listing the runs"));
    runs.insert(runs.end(), response.runs().begin(), response.runs().end());
    if (response.next().empty()) break;
    request.set_before(response.next());
  }
  return runs;
}

std::string TookText(const v1::RunRow& run) {
  if (run.ended_ms() == 0 || run.state() == v1::RUN_STATE_RUNNING) return "";
  return SpanText(milliseconds(run.ended_ms() - run.started_ms()));
}

Result<void> ShowHistory(const Invocation& invocation, const History& options) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const std::vector<v1::RunRow> runs, ReadRuns(client, options.limit));
  if (invocation.json()) {
    boost::json::array rows;
    for (const v1::RunRow& run : runs) rows.push_back(JsonOf(run));
    invocation.Print(rows, "");
    return {};
  }
  Table table(
      {"run", "kind", "state", "started", "took", "by", "removed", "kept", "gone", "failure"});
  for (const v1::RunRow& run : runs) {
    table.Add({boost::json::value(run.id()), boost::json::value(NameOf(run.kind())),
               boost::json::value(StateOf(run)), boost::json::value(ToTime(run.started_ms())),
               boost::json::value(TookText(run)), boost::json::value(run.by()),
               boost::json::value(ToText(run.removed())), boost::json::value(run.kept()),
               boost::json::value(run.gone()), boost::json::value(run.failure())});
  }
  invocation.Print(table);
  return {};
}

void AddHistory(const Command& family) {
  auto options = std::make_shared<History>();  // shared with the callback
  const Command history = family.AddCommand(
      "history",
      "List the runs, newest first: the collector's own, those of administrators and of\n"
      "retention, and what clients deleted ('clients', one entry an hour). An entry of the\n"
      "collector's own also counts what it removes within an hour of its start. 'clients' has\n"
      "manifests deleted by digest, with their tags, and blobs. A tag that a client deleted by\n"
      "name is in no run: 'tag restore' brings it back.\n"
      "  outportctl gc history --limit 50");
  history.AddOption("--limit", options->limit, "Maximum number of runs")
      .Between(1, 10000)
      .ShowDefault();
  history.Run(options, ShowHistory);
}

}  // namespace

void AddGcRunCommands(const Command& family) {
  AddRun(family);
  AddUndo(family);
  AddHistory(family);
}

}  // namespace outport::control
