#include <boost/json/object.hpp>
#include <chrono>
#include <vector>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/printable.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"

namespace outport::control {
namespace {

using Stub = v1::Gc::Stub;
using std::chrono::milliseconds;

constexpr int64_t kAcceptedMs = 600'000;
constexpr size_t kMaxWhyBytes = 1000;  // the store keeps no more

std::string ToText(const v1::Collector& collector) {
  std::string text;
  const auto line = [&text](std::string name, const std::string& value) {
    name.resize(14, ' ');
    text += (text.empty() ? "" : "\n") + name + value;
  };
  line("collector", ActivityOf(collector));
  line("overdue", CountText(collector.overdue(), "link") + ", " +
                      CountText(collector.overdue_trash(), "row") + " of the trash");
  line("condemned", CountText(collector.condemned(), "link"));
  if (collector.orphaned() > 0) {
    line("orphaned", "referrers of " + CountText(collector.orphaned(), "removed manifest"));
  }
  line("trash",
       CountText(collector.trash_blobs(), "blob") + ", " + SizeText(collector.trash_bytes()));
  line("grace", SpanText(milliseconds(collector.grace_ms())));
  line("lease", SpanText(milliseconds(collector.lease_ms())));
  line("trash window", SpanText(milliseconds(collector.trash_ms())));
  line("window", collector.window().empty() ? "always" : collector.window());
  line("store clock", ToTime(collector.store_clock_ms()));
  for (const std::string& warning : WarningsOf(collector)) text += "\nwarning: " + warning;
  return text;
}

Result<v1::Collector> ReadCollector(StoreClient& client) {
  v1::Collector collector;
  TRY_VOID(client.Call(&Stub::GetCollector, v1::GetCollectorRequest(), collector,
                       "reading the state of the collector"));
  return collector;
}

Result<void> Status(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::Collector collector, ReadCollector(client));
  invocation.Print(JsonOf(collector), ToText(collector));
  return {};
}

struct Pause {
  std::string why;
};

Result<void> PauseCollector(const Invocation& invocation, const Pause& options) {
  if (options.why.size() > kMaxWhyBytes) {
    return Error{ErrorCode::kInvalidArgument, "--why has " + std::to_string(options.why.size()) +
                                                  " bytes, and at most " +
                                                  std::to_string(kMaxWhyBytes) + " are kept"};
  }
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::Collector before, ReadCollector(client));
  v1::PauseCollectorRequest request;
  request.set_why(options.why);
  v1::Collector collector;
  TRY_VOID(client.Call(&Stub::PauseCollector, request, collector, "pausing the collector"));
  std::string text =
      "the collector is paused until 'outportctl gc resume'; nothing is removed or freed until "
      "then";
  if (before.paused()) {
    text += "\nthis replaces an earlier pause by " + before.paused_by() + " since " +
            ToTime(before.paused_since_ms());
    if (!before.paused_why().empty()) text += ": " + Printable(before.paused_why());
  }
  invocation.Print(JsonOf(collector), text);
  return {};
}

struct Resume {
  bool accept_clock = false;
};

Result<void> ResumeCollector(const Invocation& invocation, const Resume& options) {
  TRY(StoreClient client, invocation.Connect());
  TRY(const v1::Collector before, ReadCollector(client));
  v1::ResumeCollectorRequest request;
  request.set_accept_clock(options.accept_clock);
  v1::Collector collector;
  TRY_VOID(client.Call(&Stub::ResumeCollector, request, collector, "resuming the collector"));
  // The store accepts a clock only if it differs by much, and then its time changes by as much.
  const bool accepted = before.clock_jump_ms() != 0 ||
                        collector.store_clock_ms() - before.store_clock_ms() > kAcceptedMs;
  const bool changed = before.paused() || (options.accept_clock && accepted);
  const std::string nothing = options.accept_clock
                                  ? "nothing to resume: no pause, and no clock to accept; "
                                  : "nothing to resume: the collector is not paused; ";
  invocation.Print(JsonOf(collector),
                   (changed ? "the collector is resumed: " : nothing + "the collector now: ") +
                       ActivityOf(collector));
  return {};
}

}  // namespace

void AddGcCommands(const Command& app) {
  const Command family = app.AddFamily(
      "gc",
      "Remove content that nothing refers to, and free its disk space. The store does this by\n"
      "itself, after the grace period; these commands show, start, stop and undo it:\n"
      "  outportctl gc plan               what a run would remove now, and why\n"
      "  outportctl gc run --plan ID      remove exactly this\n"
      "  outportctl gc undo RUN           restore what a run removed, while it is in the trash\n"
      "Pushes and pulls continue meanwhile.");
  AddGcPlanCommand(family);
  AddGcRunCommands(family);
  family
      .AddCommand("status",
                  "Show what the collector does, what is overdue, and the size of the trash.\n"
                  "  outportctl gc status")
      .Run(Status);

  auto pause = std::make_shared<Pause>();  // shared with the callback
  const Command pausing = family.AddCommand(
      "pause",
      "Pause the collector: nothing is removed or freed until 'gc resume'. A run in progress\n"
      "stops within seconds, and continues after the pause.\n"
      "  outportctl gc pause --why 'restoring team/app'");
  pausing.AddOption("--why", pause->why, "Reason, for other administrators");
  pausing.Run(pause, PauseCollector);

  auto resume = std::make_shared<Resume>();  // shared with the callback
  const Command resuming = family.AddCommand(
      "resume",
      "End a pause. After a jump of the clock, the collector waits until an administrator has\n"
      "checked the time: with a wrong clock it would remove content too early.\n"
      "  outportctl gc resume\n"
      "  outportctl gc resume --accept-clock");
  resuming.AddFlag("--accept-clock", resume->accept_clock,
                   "The clock of the store's machine is right; take the store's time from it");
  resuming.Run(resume, ResumeCollector);
}

}  // namespace outport::control
