#pragma once

namespace CLI {
class App;
}

namespace outport::control {

struct Invocation;

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
