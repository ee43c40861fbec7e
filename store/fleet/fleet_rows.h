#pragma once

#include <string>
#include <vector>

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/authority/authorities.h"
#include "store/authority/node_certificates.h"
#include "store/fleet/member_directory.h"

namespace outport::store {

// The metadata of the fleet's nodes, and the directories that mirror the metadata. The referenced
// objects outlive this object.
struct FleetRows {
  MetaStore& meta;
  const Authorities& authorities;
  AccessFollower& follower;
  MemberDirectory& member_directory;
  NodeLifetimes lifetimes;
  const Clock& clock;
  Log log;

  // Call it after a commit that changed the row of `node` and inserted the revocations with the
  // keys `revocations`. Updates the directories and cuts the node's stream. If a row cannot be
  // read, continues with the others and returns the first failure. Blocks.
  Result<void> Follow(const std::string& node, const std::vector<std::string>& revocations) const;
};

}  // namespace outport::store
