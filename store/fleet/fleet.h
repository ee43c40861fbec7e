#pragma once

#include <string>

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/security/grants/access_directory.h"
#include "registry/security/pki/pki.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/access/grants.h"
#include "store/access/users.h"
#include "store/authority/authorities.h"
#include "store/authority/certificates.h"
#include "store/fleet/connected_nodes.h"
#include "store/fleet/fleet_rows.h"
#include "store/fleet/invitations.h"
#include "store/fleet/member_directory.h"
#include "store/fleet/members.h"

namespace outport::store {

// The fleet in the store's metadata: users, grants, certificates and nodes. Each mutation is one
// synced transaction that also appends the change records. When a mutation returns, the directories
// are up to date, and the streams of the affected nodes are cut. Safe for several threads;
// mutations and lists block.
struct Fleet {
  struct Parts {
    MetaStore& meta;
    AccessDirectory& directory;  // mirrors the access rows
    const Clock& clock;
    Log log;
    pki::Authority authority;
    std::string fleet_address;  // the host:port in invitations
    NodeLifetimes lifetimes = {};
  };
  explicit Fleet(const Parts& parts);

  // Fills the directories from the rows. Call it once, at start.
  Result<void> Load();

  ConnectedNodes connected_nodes;
  Authorities authorities;  // Rotation::Recover() sets the state of a rotation
  AccessFollower follower;
  MemberDirectory member_directory;
  Users users;
  Grants grants;
  Certificates certificates;
  const FleetRows rows;
  Invitations invitations;
  Members members;
};

}  // namespace outport::store
