#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "outport/v1/gc.pb.h"
#include "registry/base/result.h"

namespace outport::store {

// The kinds of plans, by the content that they remove. Each kind has a command of its own.
enum class PlanKind { kCollection, kRetention };

// The name of a plan says how to make the plan again, and whether the result is the same. So a
// store that no longer remembers the plan can still show and run it, if nothing has changed. A
// value type.
//
//   [retention-]<time, 16 hex digits>-<items>-<hash, 32 hex digits>[-<options, hex>]
struct PlanName {
  int64_t as_of_ms = 0;  // the plan has what was due at this time
  uint64_t items = 0;
  std::string hash;  // over the items
  v1::PlanOptions options;
  PlanKind kind = PlanKind::kCollection;

  std::string ToString() const;
  // kInvalidArgument if the plan is of another kind; says which command runs it.
  Result<void> RequireKind(PlanKind wanted) const;
  // kInvalidArgument if the text is no name of a plan.
  static Result<PlanName> Parse(const std::string& text);
};

// Returns the hash of a plan with these items. Their order does not matter.
std::string HashOfItems(std::vector<std::string> items);

}  // namespace outport::store
