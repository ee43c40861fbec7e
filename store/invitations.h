#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "outport/v1/enrollment.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/result.h"
#include "registry/security/pki.h"
#include "registry/storage/meta_store.h"
#include "store/access_follower.h"
#include "store/auditor.h"
#include "store/node_certificates.h"

namespace outport::store {

// How nodes come into the fleet: an administrator invites, a node enrols with the token, and its
// row says that it belongs. Safe for several threads; blocks.
class Invitations {
 public:
  Invitations(MetaStore& meta, pki::Authority authority, AccessFollower& follower,
              NodeLifetimes lifetimes, std::string fleet_address, const Clock& clock, Log log);

  struct Invitation {
    std::string token;
    int64_t expires_ms = 0;
  };
  // `lifetime` zero: one hour. kInvalidArgument: a bad name, no or bad hosts, a lifetime of more
  // than 7 days. kAlreadyExists where a node of the fleet has the name, unless the machine that is
  // invited is to take its place: it keeps serving until then.
  enum class TakenName { kRefuse, kReplace };
  Result<Invitation> Invite(const std::string& node, const std::vector<std::string>& host_names,
                            std::chrono::milliseconds lifetime, const Actor& by,
                            TakenName taken = TakenName::kRefuse);

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
  Result<void> ForgetOld(MetaTransaction& transaction, int64_t now_ms) const;

  MetaStore& meta_;
  const pki::Authority authority_;
  AccessFollower& follower_;
  const NodeLifetimes lifetimes_;
  const std::string root_fingerprint_;
  const std::string fleet_address_;
  const Clock& clock_;
  const Log log_;
};

}  // namespace outport::store
