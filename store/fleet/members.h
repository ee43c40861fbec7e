#pragma once

#include <string>
#include <vector>

#include "outport/v1/enrollment.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/audit/auditor.h"
#include "store/authority/authorities.h"
#include "store/authority/node_certificates.h"
#include "store/fleet/member_directory.h"

namespace outport::store {

// The nodes that belong to the fleet: what becomes of them once they have joined. Safe for several
// threads; blocks.
class Members {
 public:
  struct Parts {
    MetaStore& meta;
    const Authorities& authorities;
    AccessFollower& follower;
    MemberDirectory& directory;
    NodeLifetimes lifetimes;
    const Clock& clock;
    Log log;
  };
  explicit Members(Parts parts) : parts_(std::move(parts)) {}

  // Other certificates for a node, for the keys of the requests. kDenied unless it belongs to the
  // fleet. `from`: the caller's address, for the audit log.
  Result<v1::EnrollResponse> Renew(const std::string& node, const v1::RenewRequest& request,
                                   const std::string& from);

  // kNotFound.
  Result<v1::NodeRow> Find(const std::string& node) const;

  // Whether a node with these permissions knows the user. kNotFound.
  Result<bool> IsToldOf(const NodePermissions& node, const std::string& user) const;

  // Replaces what the node may do; the directory has followed when this returns, and its stream is
  // the caller's to cut: it begins anew with what it may be told of. kNotFound, kInvalidArgument.
  Result<v1::NodeRow> Allow(const std::string& node, const std::vector<Grant>& allow,
                            const Actor& by);

  // Takes a node out of the fleet: its certificates are refused, its invitations are void; the
  // directory has followed when this returns. Its stream is the caller's to cut. Returns the
  // sequence of the last change. kNotFound.
  Result<uint64_t> Remove(const std::string& node, const Actor& by);

 private:
  const Parts parts_;
};

}  // namespace outport::store
