#pragma once

#include <string>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport::store {

// Returns the disagreements between rows and their back references; empty if there are none.
std::vector<std::string> ProblemsOfIndexes(const MetaStore& meta);

}  // namespace outport::store
