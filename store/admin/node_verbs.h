#pragma once

#include "outport/v1/admin.pb.h"
#include "outport/v1/record.pb.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Implements the operations of administrators on nodes. Safe for several threads; blocks, except
// for Describe().
class NodeVerbs {
 public:
  explicit NodeVerbs(Fleet& fleet) : fleet_(fleet) {}  // `fleet` outlives this object

  Result<v1::InviteNodeResponse> Invite(const v1::InviteNodeRequest& request,
                                        const Administrator& by) const;
  Result<v1::NodeInfo> Get(const v1::GetNodeRequest& request) const;
  Result<v1::SetNodeResponse> Set(const v1::SetNodeRequest& request, const Administrator& by) const;
  Result<v1::ListNodesResponse> List(const v1::ListNodesRequest& request) const;
  Result<v1::RemoveNodeResponse> Remove(const v1::RemoveNodeRequest& request,
                                        const Administrator& by) const;

  // Describes a node from its row and from the last report on its stream.
  v1::NodeInfo Describe(const v1::NodeRow& row) const;

 private:
  Fleet& fleet_;
};

}  // namespace outport::store
