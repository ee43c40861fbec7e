#pragma once

#include "outport/v1/collection.pb.h"
#include "outport/v1/gc.pb.h"
#include "registry/base/result.h"
#include "registry/storage/meta_store.h"

namespace outport::store {

// Checks the options of a plan or a run. kInvalidArgument if no repository can match the glob, or
// if there are too many nodes to ignore, or if the time of `within_ms` is negative or too long. A
// misspelt glob would otherwise look like a plan without items.
Result<void> CheckPlanOptions(const v1::PlanOptions& options);

// Returns kInvalidArgument if the options plan links that are not due yet. Nobody can run such a
// plan: the collector removes each link when it is due, after its own look at the link.
Result<void> CheckRunnable(const v1::PlanOptions& options);

// Checks options that an administrator has just entered: also kNotFound if there is no node of such
// a name to ignore. Options in the name of a plan are not new: since then an administrator may have
// removed the node, and the plan still holds. May block.
Result<void> CheckNewPlanOptions(const MetaView& meta, const v1::PlanOptions& options);

}  // namespace outport::store
