#pragma once

#include <memory>
#include <string>
#include <vector>

#include "registry/security/grants/rights.h"

namespace outport {

// What a user with these grants, each as ParseGrant reads it, may do.
inline Rights RightsWith(const std::vector<std::string>& texts) {
  auto grants = std::make_shared<std::vector<Grant>>();
  for (const std::string& text : texts) grants->push_back(*ParseGrant(text));
  return Rights("user 'ann'", false, {{{SubjectKind::kUser, "ann"}, grants}});
}

}  // namespace outport
