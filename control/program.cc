#include "control/program.h"

#include <CLI/CLI.hpp>
#include <ostream>

#include "control/commands/commands.h"
#include "control/console/command.h"
#include "control/console/printable.h"
#include "registry/base/command_line.h"

namespace outport::control {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Accepts the program's own options after a command, too: `outportctl user list -o json`.
void LetOptionsFallThrough(CLI::App& app) {
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; })) {
    command->fallthrough();
    LetOptionsFallThrough(*command);
  }
}

}  // namespace

int Run(int argc, const char* const* argv, Streams streams) {
  Invocation invocation(streams);
  CLI::App app(
      "outportctl administers an Outport fleet: users, grants, certificates, nodes and content.\n"
      "It calls the store's fleet port with an administrator certificate from a profile:\n"
      "a folder with outportctl.yml, ca.crt, admin.crt and admin.key.\n"
      "  outportctl --profile ./admin user add ci --allow 'pull,push:team/**'",
      "outportctl");
  app.set_version_flag("--version", "outportctl " OUTPORT_VERSION);
  app.add_option("--profile", invocation.profile, "Profile folder (default: ~/.config/outport)")
      ->envname("OUTPORT_PROFILE");
  app.add_option("-o,--output", invocation.format, "Output format")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  app.require_subcommand(1);
  const Command root(app, invocation);
  AddUserCommands(root);
  AddGrantCommands(root);
  AddCertificateCommands(root);
  AddAuthorityCommands(root);
  AddNodeCommands(root);
  AddGcCommands(root);
  AddTagCommands(root);
  AddRetentionCommands(root);
  AddUploadCommands(root);
  AddAuditCommands(root);
  AddStatusCommand(root);
  AddWaitCommand(root);
  LetOptionsFallThrough(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    return app.exit(success, streams.out, streams.err);
  } catch (const CLI::ParseError& error) {
    streams.err << "outportctl: " << ExplainUsage(app, error) << "\n";
    return kUsage;
  }
  const Result<void> done = invocation.chosen();
  if (done.has_value()) return 0;
  streams.err << "outportctl: " << PrintableLines(done.error().message) << "\n";
  return kFailed;
}

}  // namespace outport::control
