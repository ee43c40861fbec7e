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

// Lets nodes join the fleet: an administrator invites a node, and the node enrols with the token of
// the invitation. Safe for several threads; blocks.
class Invitations {
 public:
  // Each token contains `fleet_address`, the host:port that nodes dial.
  Invitations(FleetRows rows, std::string fleet_address)
      : rows_(std::move(rows)), fleet_address_(std::move(fleet_address)) {}

  struct Invitation {
    std::string token;
    int64_t expires_ms = 0;  // Unix time
  };
  // If the fleet already has a node of that name, Invite() rejects the invitation, or lets the new
  // machine replace that node.
  enum class ExistingNode { kReject, kReplace };
  struct Options {
    std::string node;
    std::vector<std::string> host_names;    // by which clients reach the node
    std::chrono::milliseconds lifetime{0};  // the invitation's lifetime; zero: one hour
    // With kReplace, the present node serves until the new machine enrols.
    ExistingNode existing = ExistingNode::kReject;
    // The permissions of the node. If empty, the node gets the permissions of the node that it
    // replaces. A node that replaces none may then do everything.
    std::vector<Grant> allow = {};
  };
  // Makes an invitation, and deletes earlier invitations for the name. Returns kInvalidArgument for
  // an invalid name, host name or grant, for a missing host name, and for a lifetime of more than 7
  // days. Returns kAlreadyExists if the fleet has the node.
  Result<Invitation> Invite(const Options& options, const Actor& by);

  // Exchanges a token's secret for certificates. Returns kDenied, and says what to do, if no
  // invitation has the secret, if the invitation has expired, or if another pair of keys has used
  // it. A node may repeat the call with the same keys. If the new machine replaces a node, the call
  // revokes the certificates of the replaced node and cuts its stream. `from` is the caller's
  // address, for the logs.
  Result<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request, const std::string& from);

 private:
  const FleetRows rows_;
  const std::string fleet_address_;
};

}  // namespace outport::store
