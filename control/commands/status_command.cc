#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <ostream>
#include <vector>

#include "control/commands/commands.h"
#include "control/commands/node_table.h"
#include "control/console/command.h"
#include "control/console/invocation.h"

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

boost::json::array ToJson(const std::vector<Warning>& warnings) {
  boost::json::array array;
  for (const Warning& warning : warnings) {
    array.push_back({{"source", warning.source}, {"message", warning.message}});
  }
  return array;
}

Result<void> ShowStatus(const Invocation& invocation) {
  TRY(StoreClient client, invocation.Connect());
  v1::GetStatusResponse status;
  TRY_VOID(client.Call(&v1::Admin::Stub::GetStatus, v1::GetStatusRequest(), status,
                       "reading the status"));
  Table nodes = MakeNodeTable();
  for (const v1::NodeInfo& node : status.nodes()) AddNode(nodes, node);
  const std::vector<Warning> warnings = WarningsOf(status);
  const boost::json::value document = {
      {"store", client.profile().store},
      {"version", status.version()},
      {"epoch", status.epoch()},
      {"head_sequence", status.head_sequence()},
      {"started", ToTime(status.started_ms())},
      {"free_bytes", status.free_bytes()},
      {"server_certificate_expires", ToTime(status.server_certificate_not_after_ms())},
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
  line("started", ToTime(status.started_ms()));
  line("free space", std::to_string(status.free_bytes() / kMebibyte) + " MiB");
  line("certificate", "expires " + ToTime(status.server_certificate_not_after_ms()));
  text += "\n" + nodes.ToText();
  for (const Warning& warning : warnings) {
    text += "\nwarning: " + warning.source + ": " + warning.message;
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
