#pragma once

#include <string>

#include "outport/v1/access.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// Implements the operations of administrators on grants. Safe for several threads; blocks.
class GrantVerbs {
 public:
  // `fleet` and `clock` outlive this object.
  GrantVerbs(Fleet& fleet, const Clock& clock) : fleet_(fleet), clock_(clock) {}

  Result<v1::ChangedResponse> Add(const v1::GrantRequest& request, const Administrator& by) const;
  Result<v1::ChangedResponse> Remove(const v1::GrantRequest& request,
                                     const Administrator& by) const;
  Result<v1::ListGrantsResponse> List(const v1::ListGrantsRequest& request) const;
  // Says whether a user may perform an action in a repository. Names the grant that allows the
  // action, or the reason why the action is denied.
  Result<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) const;

 private:
  // Returns why the node does not receive the user. An empty reason means that the node receives
  // the user.
  Result<std::string> WhyUnknownAt(const NodePermissions& node, const v1::NodeRow& row,
                                   const std::string& user) const;

  Fleet& fleet_;
  const Clock& clock_;
};

}  // namespace outport::store
