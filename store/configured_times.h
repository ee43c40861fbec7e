#pragma once

#include <chrono>

#include "store/authority/node_certificates.h"
#include "store/config.h"
#include "store/content/collection.h"

namespace outport::store {

// These functions return the times of a configuration in the form that the rooms of the store take.

NodeLifetimes LifetimesOf(const Config& config);
CollectionTimes CollectionTimesOf(const Config& config);
// How often the collector looks at its queue: seldom, unless the times are short.
std::chrono::milliseconds CollectionInterval(const Config& config);

}  // namespace outport::store
