#pragma once

#include <map>
#include <string>

#include "registry/storage/meta_store.h"

namespace outport::store {

using Rows = std::map<std::string, std::string>;

// Returns the rows of the store that nodes have, too.
Rows ScanState(const MetaStore& meta);

// Returns the rows of a node that has read the log from its beginning, in batches.
Rows ReplayLog(const MetaStore& meta);

}  // namespace outport::store
