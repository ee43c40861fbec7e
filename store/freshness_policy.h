#pragma once

#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/config.h"

namespace outport::store {

// Returns the part of store.yml that nodes follow.
v1::FreshnessPolicy FreshnessPolicyOf(const Config& config);

// Returns the settings of store.yml that concern access, the audit log and garbage collection.
v1::PolicyRow PolicyOf(const Config& config);

// Adds a policy.set entry to the audit log if the policy has changed since the previous start. The
// entry names the store as the actor, because the store does not know who edited the file. Blocks.
Result<void> RecordPolicy(MetaStore& meta, const v1::PolicyRow& policy, const Clock& clock);

}  // namespace outport::store
