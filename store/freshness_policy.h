#pragma once

#include "outport/v1/record.pb.h"
#include "registry/base/clock.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"
#include "store/config.h"

namespace outport::store {

// What nodes follow of store.yml.
v1::FreshnessPolicy FreshnessPolicyOf(const Config& config);

// What of store.yml says who gets in, and what is recorded.
v1::PolicyRow PolicyOf(const Config& config);

// Enters `policy` in the audit log, as policy.set, if it is another than at the start before. Who
// edited the file is not known: the store stands for him. Blocks.
Result<void> RecordPolicy(MetaStore& meta, const v1::PolicyRow& policy, const Clock& clock);

}  // namespace outport::store
