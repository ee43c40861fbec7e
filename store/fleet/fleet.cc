#include "store/fleet/fleet.h"

namespace outport::store {

Fleet::Fleet(const Parts& parts)
    : authorities(TrustStateOf(parts.authority)),
      follower(
          parts.meta, parts.directory,
          [this](const v1::RevocationRow& row) {
            // The store checks the certificate at each new call, but an open stream does not
            // end by itself.
            if (row.role() == ToString(Role::kNode)) connected_nodes.Cut(row.name());
          },
          parts.log),
      member_directory(parts.meta, connected_nodes, &follower.pending()),
      users(parts.meta, follower, parts.clock, parts.log),
      grants(parts.meta, users, follower, parts.clock, parts.log),
      certificates(parts.meta, authorities, follower, parts.clock, parts.log),
      rows{.meta = parts.meta,
           .authorities = authorities,
           .follower = follower,
           .member_directory = member_directory,
           .lifetimes = parts.lifetimes,
           .clock = parts.clock,
           .log = parts.log},
      invitations(rows, parts.fleet_address),
      members(rows) {}

Result<void> Fleet::Load() {
  TRY_VOID(follower.Load());
  return member_directory.Load();
}

}  // namespace outport::store
