#pragma once

#include "outport/v1/content.pb.h"
#include "registry/base/result.h"
#include "store/content/repository_content.h"
#include "store/fleet/administrator.h"

namespace outport::store {

// Implements the operations of administrators on tags. Safe for several threads; blocks.
class TagVerbs {
 public:
  // `content` outlives this object.
  explicit TagVerbs(Content& content) : content_(content) {}

  Result<v1::ListTagHistoryResponse> ListHistory(const v1::ListTagHistoryRequest& request) const;
  Result<v1::RestoreTagResponse> Restore(const v1::RestoreTagRequest& request,
                                         const Administrator& by) const;
  Result<v1::SetTagRuleResponse> SetRule(const v1::SetTagRuleRequest& request,
                                         const Administrator& by) const;
  Result<v1::RemoveTagRuleResponse> RemoveRule(const v1::RemoveTagRuleRequest& request,
                                               const Administrator& by) const;
  Result<v1::ListTagRulesResponse> ListRules(const v1::ListTagRulesRequest& request) const;

 private:
  Content& content_;
};

}  // namespace outport::store
