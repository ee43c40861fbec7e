#pragma once

#include "registry/base/data_format.h"

namespace outport::store {

// The parts of a store's data folder, with the formats that this program writes. Raise a version
// before a row or a file of the new format can be written, add a fixture of it to tests/fixtures,
// and keep reading the earlier versions.
inline constexpr FormatPart kStoreFormats[] = {
    {.name = "store-metadata",
     .title = "the store's metadata",
     .version = 2,
     .changes = "the rows of garbage collection and of the history of tags"},
    {.name = "blobs", .title = "the blob folder", .version = 1, .changes = ""},
};

}  // namespace outport::store
