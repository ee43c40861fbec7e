#pragma once

#include <array>
#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

// The rows that decide who may do what, as values of the security floor; read alike at the store
// and at nodes. What this version cannot read grants nothing.
namespace outport {

v1::Grant ToGrantRecord(const Grant& grant);
// As strictly as ParseGrant reads it from a command line.
Result<Grant> ParseGrantRecord(const v1::Grant& record);
// Actions that this version does not know are left out.
Grant ToGrant(const v1::Grant& record);
std::vector<Grant> ToGrants(const google::protobuf::RepeatedPtrField<v1::Grant>& records);
User ToUser(const v1::UserRow& row);

// The prefixes of the rows that decide, those that shut out first.
inline constexpr std::array kAccessRows = {keys::kRevocations, keys::kUsers, keys::kGrants};
// What the row at `key` means as a change; nullopt for `value`: it is gone. kCorrupt names the key.
// REQUIRES: one of kAccessRows begins the key.
Result<v1::Change> ToAccessChange(std::string_view key, const std::optional<std::string>& value);
// All of them. Blocks.
Result<AccessDirectory::Contents> ReadAccess(const MetaView& meta);

// Whether the change is one of user, grant or certificate: what AccessDirectory holds.
bool IsAccessChange(const v1::Change& change);
// Brings the directory to where the change leads; a change of another kind does nothing.
void ApplyAccessChange(const v1::Change& change, AccessDirectory& directory);
// The same, for a directory's contents that are being gathered.
void ApplyAccessChange(const v1::Change& change, AccessDirectory::Contents& contents);

}  // namespace outport
