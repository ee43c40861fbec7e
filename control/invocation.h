#pragma once

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <string>

#include "control/profile.h"
#include "control/store_client.h"
#include "control/table.h"
#include "registry/base/result.h"

namespace outport::control {

// Where a command reads and writes.
struct Streams {
  int input;  // a file descriptor: passwords are asked for on it if it is a terminal
  std::ostream& out;
  std::ostream& err;
};

// One run of outportctl: the options that every command has, and the command that was chosen.
struct Invocation {
  explicit Invocation(Streams streams_in) : streams(streams_in) {}

  Streams streams;
  std::string profile;
  std::string format = "table";
  std::function<Result<void>()> chosen;  // set by the command's callback

  bool json() const { return format == "json"; }
  // A client of the profile's store.
  Result<StoreClient> Connect() const;
  void Print(const Table& table) const;
  // The document as JSON, or `text` and a newline.
  void Print(const boost::json::value& document, const std::string& text) const;
  // One thing: the document as JSON, or a line for each of its fields, which are strings.
  void PrintFields(const boost::json::object& document) const;
};

// Each adds a family of commands to `app`. `app` and `invocation` outlive the run.
void AddUserCommands(CLI::App& app, Invocation& invocation);
void AddGrantCommands(CLI::App& app, Invocation& invocation);
void AddCertificateCommands(CLI::App& app, Invocation& invocation);
void AddAuthorityCommands(CLI::App& app, Invocation& invocation);
void AddWaitCommand(CLI::App& app, Invocation& invocation);
void AddNodeCommands(CLI::App& app, Invocation& invocation);
void AddAuditCommands(CLI::App& app, Invocation& invocation);
void AddStatusCommand(CLI::App& app, Invocation& invocation);

// Each adds one command to a family.
void AddGroupsCommand(CLI::App& family, Invocation& invocation);
void AddInstallCommand(CLI::App& family, Invocation& invocation);
void AddIssueCommand(CLI::App& family, Invocation& invocation);
void AddRenewCommand(CLI::App& family, Invocation& invocation);
void AddRevokeCommand(CLI::App& family, Invocation& invocation);
void AddRotateCommand(CLI::App& family, Invocation& invocation);

}  // namespace outport::control
