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

// How nodes come into the fleet: an administrator invites, a node enrols with the token, and its
// row says that it belongs. Safe for several threads; blocks.
class Invitations {
 public:
  // Tokens carry `fleet_address`, the host:port that nodes dial.
  Invitations(FleetRows rows, std::string fleet_address)
      : rows_(std::move(rows)), fleet_address_(std::move(fleet_address)) {}

  struct Invitation {
    std::string token;
    int64_t expires_ms = 0;
  };
  enum class TakenName { kRefuse, kReplace };
  struct Guest {
    std::string node;
    std::vector<std::string> host_names;
    std::chrono::milliseconds lifetime{0};  // zero: one hour
    // Where a node of the fleet has the name: it serves until the machine takes its place.
    TakenName taken = TakenName::kRefuse;
    // What the node may do. None: as much as the node whose place it takes, or everything.
    std::vector<Grant> allow = {};
  };
  // Earlier invitations of the name are void. kInvalidArgument: a bad name, no or bad hosts, a
  // lifetime of more than 7 days, what no node may have. kAlreadyExists: the name is taken.
  Result<Invitation> Invite(const Guest& guest, const Actor& by);

  // Trades a token's secret for certificates. kDenied, with what to do, if no invitation has it, if
  // it has expired, or if other keys have used it. If the node replaces another one, the
  // certificates of the replaced node are revoked and its stream is cut. `from`: the caller's
  // address, for the logs.
  Result<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request, const std::string& from);

 private:
  const FleetRows rows_;
  const std::string fleet_address_;
};

}  // namespace outport::store
