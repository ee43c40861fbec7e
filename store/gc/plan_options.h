#pragma once

#include "outport/v1/collection.pb.h"
#include "outport/v1/gc.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Checks the options of a plan or a run. kInvalidArgument if no repository can match the glob, or
// if there are too many nodes to ignore; kNotFound if there is no node of such a name. A misspelt
// option would otherwise look like a plan without items. May block.
Result<void> CheckPlanOptions(const MetaView& meta, const v1::PlanOptions& options);

}  // namespace outport::store
