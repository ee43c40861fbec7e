#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <ostream>
#include <vector>

#include "control/commands/collector_text.h"
#include "control/commands/commands.h"
#include "control/commands/node_table.h"
#include "control/console/command.h"
#include "control/console/invocation.h"
#include "control/console/printable.h"
#include "control/console/units.h"
#include "outport/v1/gc.grpc.pb.h"

namespace outport::control {
namespace {

constexpr uint64_t kMebibyte = 1 << 20;

struct Warning {
  std::string source;  // "store" or the name of a node
  std::string message;
};

std::vector<Warning> WarningsOf(const v1::GetStatusResponse& status) {
  std::vector<Warning> warnings;
  for (const std::string& text : status.warnings())
    warnings.push_back({.source = "store", .message = text});
  for (const v1::NodeInfo& node : status.nodes()) {
    for (const std::string& text : node.warnings())
      warnings.push_back({.source = node.name(), .message = text});
  }
  return warnings;
}

// Returns the state of the collector, or nullopt if the store is of a release without it.
Result<std::optional<v1::Collector>> ReadCollector(StoreClient& client) {
  v1::Collector collector;
  const Result<void> read = client.Call(&v1::Gc::Stub::GetCollector, v1::GetCollectorRequest(),
                                        collector, "reading the state of the collector");
  if (read.has_value()) return collector;
  if (read.error().code == ErrorCode::kUnsupported) return std::nullopt;
  return read.error();
}

boost::json::array ToJson(const std::vector<Warning>& warnings) {
  boost::json::array array;
  for (const Warning& warning : warnings) {
    array.push_back({{"source", warning.source}, {"message", warning.message}});
  }
  return array;
}

// "48 changes from 12001 on (1.2 MiB); slowest node eu-west at 12000, not connected"
std::string ToText(const v1::ChangeLogInfo& log) {
  std::string text = CountText(log.records(), "change") + " from " +
                     std::to_string(log.first_sequence()) + " on (" + SizeText(log.bytes()) + ")";
  if (log.slowest_node().empty()) return text;
  text += "; slowest node " + log.slowest_node() + " at " +
          (log.slowest_sequence() > 0 ? std::to_string(log.slowest_sequence()) : "unknown");
  if (!log.slowest_connected()) text += ", not connected";
  if (log.slowest_sequence() + 1 < log.first_sequence()) text += ", needs a snapshot";
  return text;
}

boost::json::object ToJson(const v1::ChangeLogInfo& log) {
  return {{"first_sequence", log.first_sequence()},
          {"records", log.records()},
          {"bytes", log.bytes()},
          {"slowest_node", log.slowest_node()},
          {"slowest_sequence", log.slowest_sequence()},
          {"slowest_connected", log.slowest_connected()}};
}

Result<void> ShowStatus(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::GetStatusResponse status;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), status,
                       "reading the status"));
  TRY(const std::optional<v1::Collector> collector, ReadCollector(client));
  Table nodes = MakeNodeTable();
  for (const v1::NodeInfo& node : status.nodes()) AddNode(nodes, node);
  std::vector<Warning> warnings = WarningsOf(status);
  if (collector.has_value()) {
    // The store itself warns of its clock, and of work that is overdue for a day.
    for (const std::string& overdue : OverdueWarnings(*collector)) {
      const std::string about = overdue.substr(0, overdue.find(':'));
      const bool warned = std::ranges::any_of(
          warnings, [&](const Warning& warning) { return warning.message.starts_with(about); });
      if (!warned) warnings.push_back({.source = "store", .message = overdue});
    }
  }
  const boost::json::value document = {
      {"store", client.profile().store},
      {"version", status.version()},
      {"epoch", status.epoch()},
      {"head_sequence", status.head_sequence()},
      {"change_log",
       status.has_change_log() ? boost::json::value(ToJson(status.change_log())) : nullptr},
      {"started", ToTime(status.started_ms())},
      {"free_bytes", status.free_bytes()},
      {"server_certificate_expires", ToTime(status.server_certificate_not_after_ms())},
      {"collector", collector.has_value() ? boost::json::value(JsonOf(*collector)) : nullptr},
      {"nodes", nodes.ToJson()},
      {"warnings", ToJson(warnings)}};
  std::string text;
  const auto line = [&text](std::string name, const std::string& value) {
    name.resize(14, ' ');
    text += name + value + "\n";
  };
  line("store", client.profile().store);
  line("version", status.version());
  line("epoch", status.epoch());
  line("last change", std::to_string(status.head_sequence()));
  if (status.has_change_log()) line("change log", ToText(status.change_log()));
  line("started", ToTime(status.started_ms()));
  line("free space", std::to_string(status.free_bytes() / kMebibyte) + " MiB");
  line("certificate", "expires " + ToTime(status.server_certificate_not_after_ms()));
  if (collector.has_value()) {
    line("collector",
         ActivityOf(*collector) + "; " + CountText(collector->overdue(), "link") + " overdue");
    line("trash",
         CountText(collector->trash_blobs(), "blob") + ", " + SizeText(collector->trash_bytes()));
  }
  text += "\n" + nodes.ToText();
  for (const Warning& warning : warnings) {
    text += "\nwarning: " + warning.source + ": " + Printable(warning.message);
  }
  invocation.Print(document, text);
  return {};
}

}  // namespace

void AddStatusCommand(const Command& app) {
  app.AddCommand("status",
                 "Show the state of the store and its nodes, and their warnings.\n"
                 "  outportctl status")
      .Run(ShowStatus);
}

}  // namespace outport::control
