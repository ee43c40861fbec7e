#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "outport/v1/enrollment.pb.h"
#include "registry/base/result.h"
#include "registry/records/row_page.h"
#include "registry/security/grants/grant.h"
#include "registry/security/grants/node_permissions.h"
#include "store/audit/auditor.h"
#include "store/fleet/fleet_rows.h"

namespace outport::store {

// Finds, changes and removes the nodes that belong to the fleet. Safe for several threads; blocks.
class Members {
 public:
  explicit Members(FleetRows rows) : rows_(std::move(rows)) {}

  // Issues new certificates to a node, for the keys of the requests. Returns kDenied unless the
  // node belongs to the fleet. `from` is the caller's address, for the audit log.
  Result<v1::EnrollResponse> Renew(const std::string& node, const v1::RenewRequest& request,
                                   const std::string& from);

  // Returns kNotFound if the fleet has no such node.
  Result<v1::NodeRow> Find(const std::string& node) const;

  // Returns the time up to which the node has reported the pulls of its clients; 0 if it never did.
  Result<int64_t> PullsReportedMs(const std::string& node) const;

  // Returns at most `limit` nodes after the name `after` in byte order.
  Result<RowPage<v1::NodeRow>> List(const std::string& after, size_t limit) const;

  // Returns whether a node with these permissions receives the user's row, or kNotFound if there is
  // no such user.
  Result<bool> ReceivesUser(const NodePermissions& node, const std::string& user) const;

  // Replaces the node's permissions and cuts the node's stream. The node then connects again and
  // receives the rows of its new scope. Returns kNotFound if the fleet has no such node, and
  // kInvalidArgument if the grants are invalid. If the store cannot write, and the node gets fewer
  // permissions, the change is pending: see PendingAccess.
  Result<v1::NodeRow> Allow(const std::string& node, const std::vector<Grant>& allow,
                            const Actor& by);

  // Removes a node from the fleet: revokes its certificates, deletes its invitations and cuts its
  // stream. Returns the sequence of the last change, or kNotFound if the fleet has no such node. If
  // the store cannot write, the removal is pending, and the result is 0.
  Result<uint64_t> Remove(const std::string& node, const Actor& by);

 private:
  Result<uint64_t> WriteAllow(const std::string& node, const std::vector<Grant>& allow,
                              const Actor& by) const;
  Result<uint64_t> WriteRemoval(const std::string& node, const Actor& by) const;
  Result<v1::NodeRow> Present(const std::string& node) const;

  const FleetRows rows_;
};

}  // namespace outport::store
