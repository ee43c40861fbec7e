#pragma once

#include <chrono>
#include <cstdint>

#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"
#include "store/content/collection.h"
#include "store/work/owner.h"
#include "store/work/store_clock.h"
#include "store/work/work_lease.h"

namespace outport::store {

// The objects that all steps of the collector use. They outlive the steps.
struct CollectorParts {
  MetaStore& meta;
  BlobStore& bytes;
  const Clock& clock;
  const StoreClock& store_clock;
  const Owner& owner;  // in whose name the removal of objects is unfinished
  CollectionTimes times = {};
  // Every transaction of the collector checks this lease as its last step.
  const WorkLease& lease;
  Log log;

  Collection Now() const { return {times, store_clock.NowMs()}; }

  // How long nothing may be removed because the store clock stepped: a lease from before the step
  // may seem to have ended. 0: no wait. Ask after Now(), so that no step comes between the two.
  std::chrono::milliseconds StepWait() const {
    const auto since = store_clock.SinceStep();
    if (!since.has_value() || *since >= times.lease) return std::chrono::milliseconds(0);
    return std::chrono::ceil<std::chrono::milliseconds>(times.lease - *since);
  }
};

// Returns for how many items of the collector's rate so many rows count that a step only reads, or
// only deletes. That costs much less than the removal of an item.
inline uint64_t ItemsOfRows(uint64_t rows) {
  constexpr uint64_t kRowsPerItem = 16;
  return (rows + kRowsPerItem - 1) / kRowsPerItem;
}

}  // namespace outport::store
