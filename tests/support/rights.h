#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry/security/grants/rights.h"

namespace outport {

// The rights of a user with these grants, in the format of ParseGrant().
inline Rights RightsWith(const std::vector<std::string>& texts) {
  auto grants = std::make_shared<std::vector<Grant>>();
  for (const std::string& text : texts) grants->push_back(*ParseGrant(text));
  return Rights("user 'ann'", false, {{{SubjectKind::kUser, "ann"}, grants}});
}

}  // namespace outport
