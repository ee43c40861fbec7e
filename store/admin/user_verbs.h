#pragma once

#include "outport/v1/access.pb.h"
#include "outport/v1/admin.pb.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Implements the operations of administrators on users. Safe for several threads; blocks.
class UserVerbs {
 public:
  explicit UserVerbs(Fleet& fleet) : fleet_(fleet) {}  // `fleet` outlives this object

  Result<v1::AddUserResponse> Add(const v1::AddUserRequest& request, const Administrator& by) const;
  Result<v1::ChangedResponse> Update(const v1::UpdateUserRequest& request,
                                     const Administrator& by) const;
  Result<v1::RemoveUserResponse> Remove(const v1::RemoveUserRequest& request,
                                        const Administrator& by) const;
  // Lists the users. If the request names a node, lists only the users that this node receives.
  Result<v1::ListUsersResponse> List(const v1::ListUsersRequest& request) const;

 private:
  Fleet& fleet_;
};

}  // namespace outport::store
