#pragma once

#include <string>
#include <utility>

#include "control/console/store_client.h"

namespace outport::control {

struct WhichUsers {
  bool with_password_hashes = false;
  std::string for_node = {};  // those alone that this node is told of; empty: all
};

// Calls `see(user)` for every user of the fleet, page by page.
template <class See>
Result<void> ForEachUser(StoreClient& client, const WhichUsers& which, See see) {
  v1::ListUsersRequest request;
  request.set_with_password_hashes(which.with_password_hashes);
  request.set_for_node(which.for_node);
  return client.ForEachRow(&v1::Admin::Stub::ListUsers, request, &v1::ListUsersResponse::users,
                           "listing the users", std::move(see));
}

}  // namespace outport::control
