#pragma once

#include <string>
#include <vector>

#include "registry/storage/meta_store.h"

namespace outport::store {

// Compares each tag with its history, and returns one text for each difference: a tag is what its
// newest event says, and an event begins where the one before it ended. A tag without any event is
// a difference, too.
std::vector<std::string> ProblemsOfTagEvents(const MetaStore& meta);

}  // namespace outport::store
