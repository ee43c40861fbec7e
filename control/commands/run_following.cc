#include "control/commands/run_following.h"

#include <algorithm>
#include <utility>

#include "control/commands/collector_text.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Stub = v1::Gc::Stub;

constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLastPause{1000};
// A store that restarts is back within this time. It then marks a run as failed, because the run
// was interrupted; it continues only an undo.
constexpr std::chrono::seconds kStoreAway{60};

// Until when a run can be undone, and how. Empty if it cannot.
std::string UndoHint(StoreClient& client, const v1::RunRow& run) {
  v1::Collector collector;
  const Result<void> read = client.Call(&Stub::GetCollector, v1::GetCollectorRequest(), collector,
                                        "reading the trash window");
  if (!read.has_value() || collector.trash_ms() == 0 || ItemsOf(run.removed()) == 0) return "";
  return "\nundo it until " + ToTime(run.ended_ms() + collector.trash_ms()) +
         ": outportctl gc undo " + run.id();
}

Result<void> PrintEnd(const Invocation& invocation, StoreClient& client, const v1::RunRow& run) {
  if (run.state() == v1::RUN_STATE_FAILED) {
    if (invocation.json()) invocation.Print(JsonOf(run), "");
    return Error{ErrorCode::kInternal,
                 "run " + run.id() + " failed after it removed " + ToText(run.removed()) + ": " +
                     run.failure() + "; what it removed can be restored with 'outportctl gc undo " +
                     run.id() + "'"};
  }
  std::string text = "run " + run.id() + " removed " + ToText(run.removed());
  if (run.gone() > 0) {
    text += "; " + CountText(run.gone(), "item") +
            (run.gone() == 1 ? " was gone already" : " were gone already");
  }
  if (run.kept() > 0) {
    text += "; " + CountText(run.kept(), "item") +
            (run.kept() == 1 ? " stays, because it is" : " stay, because they are") +
            (run.kind() == v1::RUN_KIND_RETENTION ? " in use again, protected or must wait"
                                                  : " in use again or must wait");
  }
  invocation.Print(JsonOf(run), text + UndoHint(client, run));
  return {};
}

}  // namespace

void WaitOptions::AddTo(const Command& command) {
  command.AddFlag("--wait,!--no-wait", wait, "Wait until the work is done (default), or do not");
  command.AddOption("--timeout", timeout, "Maximum time to wait").NotEmpty().ShowDefault();
}

Result<v1::RunRow> Follow(const Invocation& invocation, StoreClient& client, v1::RunRow run,
                          const RunWork& work, InterruptibleWait& wait, milliseconds timeout) {
  const std::string goes_on = "run " + run.id() +
                              " continues at the store; see 'outportctl gc status' and "
                              "'outportctl gc history'";
  Progress progress(invocation);
  v1::GetRunRequest request;
  request.set_id(run.id());
  const auto deadline = steady_clock::now() + timeout;
  auto answered = steady_clock::now();
  for (milliseconds pause = kFirstPause; !work.done(run); pause = std::min(2 * pause, kLastPause)) {
    progress.Show(work.progress(run));
    if (!wait.Sleep(pause)) return Error{ErrorCode::kCancelled, "interrupted; " + goes_on};
    const auto now = steady_clock::now();
    if (now >= deadline) {
      return Error{ErrorCode::kDeadlineExceeded,
                   "stopped waiting after the time of --timeout; " + goes_on};
    }
    const Result<void> read =
        client.Call(&Stub::GetRun, request, run, "reading the progress of run " + run.id());
    if (read.has_value()) {
      answered = now;
    } else if (read.error().code != ErrorCode::kUnavailable || now - answered > kStoreAway) {
      return read.error();
    }
  }
  return run;
}

std::string Share(const v1::RunCounts& part, const v1::RunCounts& whole) {
  if (ItemsOf(whole) == 0) {
    return CountText(ItemsOf(part), "item") + ", " + SizeText(part.blob_bytes());
  }
  return std::to_string(ItemsOf(part)) + " of " + CountText(ItemsOf(whole), "item") + ", " +
         SizeText(part.blob_bytes());
}

Result<void> FollowRun(const Invocation& invocation, StoreClient& client, v1::RunRow run,
                       const WaitOptions& options, InterruptibleWait& wait) {
  TRY(const milliseconds timeout, ParseSpan("--timeout", options.timeout));
  if (!options.wait) {
    invocation.Print(JsonOf(run), "run " + run.id() +
                                      " started; see 'outportctl gc status', and 'outportctl gc "
                                      "history' when it has ended");
    return {};
  }
  const RunWork work{
      .done = [](const v1::RunRow& row) { return row.state() != v1::RUN_STATE_RUNNING; },
      .progress =
          [](const v1::RunRow& row) {
            return "run " + row.id() + ": removed " + Share(row.removed(), row.planned());
          }};
  TRY(run, Follow(invocation, client, std::move(run), work, wait, timeout));
  return PrintEnd(invocation, client, run);
}

}  // namespace outport::control
