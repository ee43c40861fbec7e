#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/enrollment.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/security/grants/grant.h"
#include "registry/storage/meta_store.h"
#include "store/access/access_follower.h"
#include "store/audit/auditor.h"
#include "store/authority/authorities.h"
#include "store/authority/node_certificates.h"
#include "store/fleet/member_directory.h"

namespace outport::store {

// How nodes come into the fleet: an administrator invites, a node enrols with the token, and its
// row says that it belongs. Safe for several threads; blocks.
class Invitations {
 public:
  // What it borrows outlives it.
  struct Parts {
    MetaStore& meta;
    const Authorities& authorities;
    AccessFollower& follower;
    MemberDirectory& directory;
    NodeLifetimes lifetimes;
    std::string fleet_address;  // host:port that the tokens carry
    const Clock& clock;
    Log log;
  };
  explicit Invitations(Parts parts) : parts_(std::move(parts)) {}

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
  // it has expired, or if other keys have used it. Whose place the node takes has its certificates
  // refused when this returns. `from`: the caller's address, for the logs.
  Result<v1::EnrollResponse> Enroll(const v1::EnrollRequest& request, const std::string& from);

  struct NodePage {
    std::vector<v1::NodeRow> rows;
    bool more = false;
  };
  Result<NodePage> ListNodes(const std::string& after, size_t limit) const;

 private:
  const Parts parts_;
};

}  // namespace outport::store
