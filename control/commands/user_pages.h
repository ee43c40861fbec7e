#pragma once

#include <string>

#include "control/console/store_client.h"

namespace outport::control {

struct WhichUsers {
  bool with_password_hashes = false;
  std::string for_node = {};  // those alone that this node is told of; empty: all
};

// Calls `take(user)` for every user of the fleet, page by page.
template <class Take>
Result<void> ForEachUser(StoreClient& client, const WhichUsers& which, Take take) {
  auto one_page = [&](const v1::PageOf& page, std::string& next) -> Result<void> {
    v1::ListUsersRequest request;
    *request.mutable_page() = page;
    request.set_with_password_hashes(which.with_password_hashes);
    request.set_for_node(which.for_node);
    v1::ListUsersResponse response;
    TRY_VOID(client.Call(&v1::Admin::Stub::ListUsers, request, response, "listing the users"));
    for (const v1::UserInfo& user : response.users()) take(user);
    next = response.next();
    return {};
  };
  return ForEachPage(one_page);
}

}  // namespace outport::control
