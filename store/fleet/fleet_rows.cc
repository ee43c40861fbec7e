#include "store/fleet/fleet_rows.h"

namespace outport::store {

Result<void> FleetRows::Follow(const std::string& node,
                               const std::vector<std::string>& revocations) const {
  Result<void> followed;
  // Apply the revocations before the stream is cut: otherwise the node could reconnect with a
  // revoked certificate.
  for (const std::string& key : revocations) {
    const Result<void> one = follower.Follow(key);
    if (followed.has_value()) followed = one;
  }
  const Result<void> member = member_directory.Follow(node);
  return followed.has_value() ? member : followed;
}

}  // namespace outport::store
