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

// The rows of the fleet's nodes and what follows them. Everything it refers to outlives it.
struct FleetRows {
  MetaStore& meta;
  const Authorities& authorities;
  AccessFollower& follower;
  MemberDirectory& directory;
  NodeLifetimes lifetimes;
  const Clock& clock;
  Log log;

  // Call it after a commit that changed the row of `node` and wrote the revocations at the keys
  // `revocations`: the directories follow, and the node's stream is cut. It follows every row even
  // if one of them cannot be read, and returns the first failure. Blocks.
  Result<void> Follow(const std::string& node, const std::vector<std::string>& revocations) const;
};

}  // namespace outport::store
