#pragma once

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/security/pki.h"
#include "registry/security/user.h"
#include "registry/storage/meta_store.h"
#include "store/certificates.h"
#include "store/invitations.h"
#include "store/users.h"

namespace outport::store {

// Who may do what in the fleet, over the store's metadata. Each mutation is one synced transaction
// that appends its change records (I10). Safe for several threads; everything here blocks.
struct Accounts {
  struct Parts {
    MetaStore& meta;
    UserDirectory& directory;  // follows the users' rows
    const Clock& clock;
    Log log;
    pki::Authority authority;
    std::string fleet_address;  // host:port that invitations carry
  };
  explicit Accounts(const Parts& parts)
      : users(parts.meta, parts.directory, parts.clock, parts.log),
        certificates(parts.meta, parts.authority, parts.clock, parts.log),
        invitations(parts.meta, parts.authority, parts.fleet_address, parts.clock, parts.log) {}

  Users users;  // users.Load() fills the directory at start
  Certificates certificates;
  Invitations invitations;
};

}  // namespace outport::store
