#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/enrollment.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "registry/security/grants/grant.h"
#include "store/audit/auditor.h"
#include "store/fleet/fleet_rows.h"

namespace outport::store {

// How nodes join the fleet: an administrator invites a node, and the node enrols with the token of
// the invitation. Safe for several threads; blocks.
class Invitations {
 public:
  // Tokens carry `fleet_address`, the host:port that nodes dial.
  Invitations(FleetRows rows, std::string fleet_address)
      : rows_(std::move(rows)), fleet_address_(std::move(fleet_address)) {}

  struct Invitation {
    std::string token;
    int64_t expires_ms = 0;  // Unix time
  };
  // If the fleet has a node of that name: reject the invitation, or let the new machine replace it.
  enum class ExistingNode { kReject, kReplace };
  struct Options {
    std::string node;
    std::vector<std::string> host_names;    // that clients reach the node by
    std::chrono::milliseconds lifetime{0};  // of the invitation; zero: one hour
    // A replaced node serves until the new machine enrols.
    ExistingNode existing = ExistingNode::kReject;
    // What the node may do. Empty: the permissions of the node that it replaces, or everything.
    std::vector<Grant> allow = {};
  };
  // Deletes earlier invitations for the name. kInvalidArgument: an invalid name, host name or
  // grant, no host name, a lifetime of more than 7 days. kAlreadyExists: the fleet has the node.
  Result<Invitation> Invite(const Options& options, const Actor& by);

  // Exchanges a token's secret for certificates. kDenied, with what to do, if no invitation has the
  // secret, if it has expired, or if another pair of keys has used it. The same keys may repeat the
  // call. If the node replaces another one, the certificates of the replaced node are revoked and
  // its stream is cut. `from`: the caller's address, for the logs.
  Result<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request, const std::string& from);

 private:
  const FleetRows rows_;
  const std::string fleet_address_;
};

}  // namespace outport::store
