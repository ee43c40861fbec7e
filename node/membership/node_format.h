#pragma once

#include "registry/base/data_format.h"

namespace outport::node {

// The parts of a node's data folder, with the formats that this program writes. Raise a version
// before a row or a file of the new format can be written, add a fixture of it to tests/fixtures,
// and keep reading the earlier versions.
inline constexpr FormatPart kNodeFormats[] = {
    {.name = "node-metadata", .title = "the node's metadata", .version = 1, .changes = ""},
    {.name = "blobs", .title = "the blob folder", .version = 1, .changes = ""},
};

}  // namespace outport::node
