#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "outport/v1/retention.pb.h"
#include "registry/base/mutex.h"
#include "registry/base/result.h"
#include "store/retention/evaluation.h"

namespace outport::store {

// The policies that are in force, with compiled patterns. Immutable; safe for several threads.
struct PolicySet {
  v1::RetentionPolicies policies;
  std::vector<CompiledPolicy> compiled;  // in the order of `policies`
};

// Reads policies, one file at a time, and keeps the applied ones. So however many administrators
// apply files at once, they occupy one thread, and plans and runs compile no pattern. The text of
// the row names the policies, so the cache is right also if another store process writes the row.
// Safe for several threads; both methods block while another thread reads a file.
class PolicyCache {
 public:
  // Reads a file that an administrator wants to apply: ParsePolicies().
  Result<v1::RetentionPolicies> Check(const std::string& yaml, const std::string& file_name);
  // Returns the applied policies of this text. kInvalidArgument if they are invalid.
  Result<std::shared_ptr<const PolicySet>> Find(const std::string& yaml);

 private:
  struct Known {
    std::string yaml;
    Result<std::shared_ptr<const PolicySet>> policies;
  };

  Mutex mutex_;
  std::optional<Known> known_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport::store
