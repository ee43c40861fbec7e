#pragma once

#include <string>
#include <utility>

#include "control/console/store_client.h"

namespace outport::control {

struct UserFilter {
  bool with_password_hashes = false;
  std::string for_node = {};  // only the users that this node knows; empty: all
  bool with_absent = false;   // also users who are no longer in their htpasswd file
};

// Calls `see(user)` for every user of the fleet that matches the filter.
template <class See>
Result<void> ForEachUser(StoreClient& client, const UserFilter& filter, See see) {
  v1::ListUsersRequest request;
  request.set_with_password_hashes(filter.with_password_hashes);
  request.set_for_node(filter.for_node);
  request.set_with_absent(filter.with_absent);
  return client.ForEachRow(&v1::Admin::Stub::ListUsers, request, &v1::ListUsersResponse::users,
                           "listing the users", std::move(see));
}

}  // namespace outport::control
