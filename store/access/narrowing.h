#pragma once

#include <string>
#include <vector>

#include "outport/v1/record.pb.h"
#include "registry/security/grants/grant.h"

// Decide whether a change only takes access away.
namespace outport::store {

// Whether nobody can do more with `after` than with `before`.
bool IsNarrower(const v1::UserRow& before, const v1::UserRow& after);
// Whether each of the grants `after` is one of the grants `before`.
bool IsNarrower(const google::protobuf::RepeatedPtrField<v1::Grant>& before,
                const google::protobuf::RepeatedPtrField<v1::Grant>& after);
// Whether the permissions `after` of a node are part of its permissions `before`. Each of the
// grants must be part of one earlier grant: of the same pattern, or of one that matches everything.
bool IsNarrowerNode(const std::vector<Grant>& before, const std::vector<Grant>& after);

}  // namespace outport::store
