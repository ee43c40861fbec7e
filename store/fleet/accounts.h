#pragma once

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/access/grants.h"
#include "store/access/users.h"
#include "store/authority/authorities.h"
#include "store/authority/certificates.h"
#include "store/fleet/invitations.h"
#include "store/fleet/members.h"

namespace outport::store {

// Who may do what in the fleet, over the store's metadata. Each mutation is one synced transaction
// that appends its change records (I10). Safe for several threads; everything here blocks.
struct Accounts {
  struct Parts {
    MetaStore& meta;
    AccessDirectory& directory;  // follows the rows
    const Clock& clock;
    Log log;
    pki::Authority authority;
    std::string fleet_address;  // host:port that invitations carry
    NodeLifetimes lifetimes = {};
  };
  explicit Accounts(const Parts& parts)
      : authorities(StandingOf(parts.authority)),
        follower(parts.meta, parts.directory),
        member_directory(parts.meta),
        users(parts.meta, follower, parts.clock, parts.log),
        grants(parts.meta, users, follower, parts.clock, parts.log),
        certificates(parts.meta, authorities, follower, parts.clock, parts.log),
        invitations({parts.meta, authorities, follower, member_directory, parts.lifetimes,
                     parts.fleet_address, parts.clock, parts.log}),
        members({parts.meta, authorities, follower, member_directory, parts.lifetimes, parts.clock,
                 parts.log}) {}

  // Fills the directories from the rows, at start.
  Result<void> Load() {
    TRY_VOID(follower.Load());
    return member_directory.Load();
  }

  Authorities authorities;  // until Rotation::Recover() knows better, the one it was made with
  AccessFollower follower;
  MemberDirectory member_directory;
  Users users;
  Grants grants;
  Certificates certificates;
  Invitations invitations;
  Members members;
};

}  // namespace outport::store
