#pragma once

#include <map>
#include <string>

#include "registry/storage/meta_store.h"

namespace outport::store {

using Rows = std::map<std::string, std::string>;

// The rows that nodes see, as they stand in the store.
Rows ScanState(const MetaStore& meta);

// What a node knows that read the log from its beginning, in batches.
Rows ReplayLog(const MetaStore& meta);

}  // namespace outport::store
