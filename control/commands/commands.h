#pragma once

namespace outport::control {

class Command;

// Each function adds one family of commands to `app`, the program.
void AddUserCommands(const Command& app);
void AddGrantCommands(const Command& app);
void AddCertificateCommands(const Command& app);
void AddAuthorityCommands(const Command& app);
void AddWaitCommand(const Command& app);
void AddNodeCommands(const Command& app);
void AddAuditCommands(const Command& app);
void AddStatusCommand(const Command& app);
void AddGcCommands(const Command& app);
void AddTagCommands(const Command& app);
void AddRetentionCommands(const Command& app);
void AddUploadCommands(const Command& app);

// Each function adds one command to a family.
void AddGcPlanCommand(const Command& family);
void AddGcRunCommands(const Command& family);
void AddGroupsCommand(const Command& family);
void AddInstallCommand(const Command& family);
void AddIssueCommand(const Command& family);
void AddRenewCommand(const Command& family);
void AddRetentionPlanCommand(const Command& family);
void AddRevokeCommand(const Command& family);
void AddRotateCommand(const Command& family);

}  // namespace outport::control
