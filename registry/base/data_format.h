#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "registry/base/log.h"
#include "registry/base/result.h"

namespace outport {

// A part of the data in a data folder, and the format in which this program writes it.
struct FormatPart {
  std::string_view name;     // in the file: "store-metadata"
  std::string_view title;    // in errors: "the store's metadata"
  uint32_t version;          // the highest version that this program knows
  std::string_view changes;  // what the upgrade to `version` adds, for `check`; empty: version 1
};

// The versions of the data in a data folder. They are in the file DATA/format, one line for each
// part, which a program reads before it opens the data:
//
//   store-metadata 2
//   blobs 1
//   written-by 0.2.0
//
// The last line names the release that wrote the file; without it the file is incomplete. Lines
// that begin with '#' are comments. A part without a line, and every part of a folder without the
// file, has version 1. A program opens versions that it knows, and upgrades them to its own. It
// refuses newer versions and parts that it does not know, so an older release never misreads the
// data of a newer one. A value type; its methods block, except for Describe().
class DataFormat {
 public:
  // Reads the versions and changes nothing. kFailedPrecondition if the data is newer than this
  // program; the error is one line that names the part, its version, the highest known version and
  // the fix. kCorrupt if the file is incomplete or malformed. REQUIRES: `known` outlives the value.
  static Result<DataFormat> Read(const std::filesystem::path& folder,
                                 std::span<const FormatPart> known);

  // Writes the file of a new data folder, durably. `release` is the version of this program.
  static Result<void> Create(const std::filesystem::path& folder, std::span<const FormatPart> known,
                             std::string_view release);

  // Raises all parts to the versions that this program knows, durably, and logs each upgrade. Does
  // nothing if the file has these versions already. Call this after the last check of a start that
  // can fail, and before the first row in the new format is written. REQUIRES: the caller holds the
  // FolderLock, and has called Read() under it.
  Result<void> Raise(std::string_view release, const Log& log) const;

  // Returns a line for each part: its version, and what an upgrade would do.
  std::vector<std::string> Describe() const;

 private:
  struct Found {
    const FormatPart* part;
    uint32_t version;
  };
  DataFormat(std::filesystem::path folder, std::span<const FormatPart> known)
      : folder_(std::move(folder)), known_(known) {}

  std::filesystem::path folder_;
  std::span<const FormatPart> known_;
  std::vector<Found> found_;     // one for each part of known_, in its order
  bool has_every_line_ = false;  // the file exists and lists every part of known_
};

}  // namespace outport
