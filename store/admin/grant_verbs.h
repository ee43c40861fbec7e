#pragma once

#include <string>

#include "outport/v1/access.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "store/fleet/administrator.h"
#include "store/fleet/fleet.h"

namespace outport::store {

// What administrators do with grants. Safe for several threads; blocks.
class GrantVerbs {
 public:
  // Both outlive it.
  GrantVerbs(Fleet& fleet, const Clock& clock) : fleet_(fleet), clock_(clock) {}

  Result<v1::ChangedResponse> Add(const v1::GrantRequest& request, const Administrator& by) const;
  Result<v1::ChangedResponse> Remove(const v1::GrantRequest& request,
                                     const Administrator& by) const;
  Result<v1::ListGrantsResponse> List(const v1::ListGrantsRequest& request) const;
  // Whether a user may do something in a repository, and which grant allows it or why not.
  Result<v1::ExplainResponse> Explain(const v1::ExplainRequest& request) const;

 private:
  // Why the node does not receive the user; empty: it does.
  Result<std::string> WhyUnknownAt(const NodePermissions& node, const v1::NodeRow& row,
                                   const std::string& user) const;

  Fleet& fleet_;
  const Clock& clock_;
};

}  // namespace outport::store
