#pragma once

#include <string>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport::store {

// What is wrong between rows and the rows that lead back to them; empty if all agree.
std::vector<std::string> ProblemsOfIndexes(const MetaStore& meta);

}  // namespace outport::store
