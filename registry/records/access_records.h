#pragma once

#include <array>
#include <optional>
#include <string>

#include "outport/v1/record.pb.h"
#include "registry/records/keys.h"
#include "registry/security/grants/access_directory.h"
#include "registry/storage/meta_store.h"

// Converts the access rows (users, grants, revocations) to the types of registry/security, for the
// store and for nodes. A grant that this version of the program does not understand grants nothing.
namespace outport {

v1::Grant ToGrantRecord(const Grant& grant);
// Returns the errors of ParseGrant().
Result<Grant> ParseGrantRecord(const v1::Grant& record);
// Converts the record. Omits actions that this version of the program does not know.
Grant ToGrant(const v1::Grant& record);
std::vector<Grant> ToGrants(const google::protobuf::RepeatedPtrField<v1::Grant>& records);
User ToUser(const v1::UserRow& row);

// Prefixes of the access rows, in the order in which a reader applies them. Revocations come first,
// so that the reader removes access before it adds access.
inline constexpr std::array kAccessRows = {keys::kRevocations, keys::kUsers, keys::kGrants};
// Returns the change that wrote the row at `key`, or, if `value` is nullopt, the change that
// deleted the row. kCorrupt if the row cannot be read; the error names the key. REQUIRES: the key
// begins with one of kAccessRows.
Result<v1::Change> ToAccessChange(std::string_view key, const std::optional<std::string>& value);
// Reads all access rows. Blocks.
Result<AccessDirectory::Contents> ReadAccess(const MetaView& meta);

// Returns whether the change is about users, grants or revocations: the content of an
// AccessDirectory.
bool IsAccessChange(const v1::Change& change);
// Applies an access change to the directory. Ignores all other changes.
void ApplyAccessChange(const v1::Change& change, AccessDirectory& directory);
// Adds an access change to the contents of a directory that is being loaded.
void ApplyAccessChange(const v1::Change& change, AccessDirectory::Contents& contents);

}  // namespace outport
