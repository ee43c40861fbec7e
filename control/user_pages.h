#pragma once

#include "control/store_client.h"

namespace outport::control {

// Calls `take(user)` for every user of the fleet, page by page.
enum class PasswordHashes { kLeftOut, kWanted };
template <class Take>
Result<void> ForEachUser(StoreClient& client, PasswordHashes hashes, Take take) {
  auto one_page = [&](const v1::PageOf& page, std::string& next) -> Result<void> {
    v1::ListUsersRequest request;
    *request.mutable_page() = page;
    request.set_with_password_hashes(hashes == PasswordHashes::kWanted);
    v1::ListUsersResponse response;
    TRY_VOID(client.Call(&v1::Admin::Stub::ListUsers, request, response, "listing the users"));
    for (const v1::UserInfo& user : response.users()) take(user);
    next = response.next();
    return {};
  };
  return ForEachPage(one_page);
}

}  // namespace outport::control
