#include "control/commands/collector_text.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <chrono>
#include <utility>

#include "control/console/printable.h"
#include "control/console/table.h"
#include "control/console/units.h"

namespace outport::control {
namespace {

using std::chrono::milliseconds;

milliseconds OldestOverdue(const v1::Collector& collector) {
  if (collector.oldest_due_ms() == 0) return milliseconds(0);
  return milliseconds(collector.store_clock_ms() - collector.oldest_due_ms());
}

}  // namespace

std::string NameOf(v1::RunKind kind) {
  switch (kind) {
    case v1::RUN_KIND_BACKGROUND:
      return "background";
    case v1::RUN_KIND_REQUESTED:
      return "requested";
    case v1::RUN_KIND_RETENTION:
      return "retention";
    case v1::RUN_KIND_CLIENTS:
      return "clients";
    default:
      return "unknown";
  }
}

std::string StateOf(const v1::RunRow& run) {
  switch (run.state()) {
    case v1::RUN_STATE_RUNNING:
      return run.kind() == v1::RUN_KIND_CLIENTS ? "open" : "running";
    case v1::RUN_STATE_DONE:
      return "done";
    case v1::RUN_STATE_FAILED:
      return "failed";
    case v1::RUN_STATE_UNDONE:
      return "undone";
    case v1::RUN_STATE_FREED:
      return "freed";
    case v1::RUN_STATE_UNDOING:
      return "undoing";
    default:
      return "unknown";
  }
}

std::string ActivityOf(const v1::Collector& collector) {
  if (collector.clock_jump_ms() != 0) return "waits until an administrator accepts the clock";
  if (collector.paused()) {
    std::string text =
        "paused by " + collector.paused_by() + " since " + ToTime(collector.paused_since_ms());
    if (!collector.paused_why().empty()) text += ": " + Printable(collector.paused_why());
    return text;
  }
  if (collector.clock_step_wait_ms() != 0) {
    return "waits " + SpanText(milliseconds(collector.clock_step_wait_ms())) +
           " because the clock stepped forward";
  }
  if (!collector.running().empty()) return "run " + collector.running() + " is in progress";
  if (!collector.scanned()) return "scans the content of an earlier release for the first time";
  if (!collector.in_window()) return "waits for its window, " + collector.window();
  return "active";
}

std::vector<std::string> OverdueWarnings(const v1::Collector& collector) {
  const std::string what_to_do =
      collector.paused() ? "; the collector is paused, resume it with 'outportctl gc resume'"
                         : "; see the store's log, or raise gc.max_rate or widen gc.window";
  std::vector<std::string> warnings;
  if (collector.overdue() > 0) {
    warnings.push_back("garbage collection is overdue: " + CountText(collector.overdue(), "link") +
                       ", the oldest since " + SpanText(OldestOverdue(collector)) + what_to_do);
  }
  if (collector.overdue_trash() > 0) {
    warnings.push_back("the trash is overdue: " + CountText(collector.overdue_trash(), "row") +
                       " whose window has ended still " +
                       (collector.overdue_trash() == 1 ? "is" : "are") + " there" + what_to_do);
  }
  return warnings;
}

std::vector<std::string> WarningsOf(const v1::Collector& collector) {
  std::vector<std::string> warnings;
  if (collector.clock_jump_ms() != 0) {
    warnings.push_back("the wall clock was ahead of the store clock by " +
                       SpanText(milliseconds(collector.clock_jump_ms())) +
                       " when the machine started, so the collector waits; if the machine was off "
                       "for so long, run 'outportctl gc resume --accept-clock', otherwise set the "
                       "wall clock");
  }
  for (std::string& overdue : OverdueWarnings(collector)) warnings.push_back(std::move(overdue));
  if (collector.stuck_objects() > 0) {
    warnings.push_back("the disk does not remove " +
                       CountText(collector.stuck_objects(), "object") +
                       " of freed blobs; look in the store's log for 'object not removed', and "
                       "check the disk");
  }
  return warnings;
}

std::string BlockOf(const v1::Collector& collector) {
  if (collector.clock_jump_ms() != 0) {
    return "the collector " + ActivityOf(collector) + "; see 'outportctl gc status'";
  }
  if (!collector.paused()) return "";
  return "the collector is " + ActivityOf(collector) + "; 'outportctl gc resume' ends the pause";
}

std::string RunHint(const v1::Collector& collector, const std::string& command) {
  const std::string block = BlockOf(collector);
  if (block.empty()) return "run it: " + command + "\n";
  return "no run can start now: " + block + "\nthen run it: " + command + "\n";
}

boost::json::object JsonOf(const v1::Collector& collector) {
  boost::json::array warnings;
  for (const std::string& warning : WarningsOf(collector)) warnings.emplace_back(warning);
  return {{"activity", ActivityOf(collector)},
          {"paused", collector.paused()},
          {"paused_by", collector.paused_by()},
          {"paused_why", collector.paused_why()},
          {"paused_since", ToTime(collector.paused_since_ms())},
          {"running", collector.running()},
          {"window", collector.window()},
          {"in_window", collector.in_window()},
          {"condemned", collector.condemned()},
          {"orphaned", collector.orphaned()},
          {"overdue", collector.overdue()},
          {"overdue_trash", collector.overdue_trash()},
          {"stuck_objects", collector.stuck_objects()},
          {"oldest_due", ToTime(collector.oldest_due_ms())},
          {"trash_blobs", collector.trash_blobs()},
          {"trash_bytes", collector.trash_bytes()},
          {"grace_ms", collector.grace_ms()},
          {"lease_ms", collector.lease_ms()},
          {"trash_ms", collector.trash_ms()},
          {"store_clock", ToTime(collector.store_clock_ms())},
          {"clock_jump_ms", collector.clock_jump_ms()},
          {"clock_step_wait_ms", collector.clock_step_wait_ms()},
          {"scanned", collector.scanned()},
          {"warnings", std::move(warnings)}};
}

uint64_t ItemsOf(const v1::RunCounts& counts) {
  return counts.tags() + counts.manifests() + counts.links();
}

// The run may have restored more than it removed: the children of an index that others removed.
uint64_t LeftAsIs(const v1::RunRow& run) {
  if (run.state() != v1::RUN_STATE_UNDONE) return 0;
  const uint64_t others = ItemsOf(run.restored()) + run.not_restored();
  return ItemsOf(run.removed()) - std::min(ItemsOf(run.removed()), others);
}

std::string ToText(const v1::RunCounts& counts) {
  std::string text;
  const auto add = [&text](uint64_t count, const char* noun) {
    if (count > 0) text += (text.empty() ? "" : ", ") + CountText(count, noun);
  };
  add(counts.tags(), "tag");
  add(counts.manifests(), "manifest");
  add(counts.links(), "link");
  add(counts.blobs(), "blob");
  if (text.empty()) return "nothing";
  if (counts.blobs() == 0) return text;
  return text + " (" + SizeText(counts.blob_bytes()) + ")";
}

boost::json::object JsonOf(const v1::RunCounts& counts) {
  return {{"tags", counts.tags()},
          {"manifests", counts.manifests()},
          {"links", counts.links()},
          {"blobs", counts.blobs()},
          {"blob_bytes", counts.blob_bytes()}};
}

boost::json::object JsonOf(const v1::RunRow& run) {
  return {{"run", run.id()},
          {"kind", NameOf(run.kind())},
          {"state", StateOf(run)},
          {"started", ToTime(run.started_ms())},
          {"ended", run.state() == v1::RUN_STATE_RUNNING ? "" : ToTime(run.ended_ms())},
          {"by", run.by()},
          {"delete_untagged", run.delete_untagged()},
          {"repositories", run.repositories()},
          {"planned", JsonOf(run.planned())},
          {"removed", JsonOf(run.removed())},
          {"kept", run.kept()},
          {"gone", run.gone()},
          {"freed", JsonOf(run.freed())},
          {"restored", JsonOf(run.restored())},
          {"not_restored", run.not_restored()},
          {"left_as_is", LeftAsIs(run)},
          {"undone", ToTime(run.undone_ms())},
          {"undone_by", run.undone_by()},
          {"failure", run.failure()}};
}

}  // namespace outport::control
