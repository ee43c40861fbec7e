#pragma once

#include <filesystem>
#include <string>

#include "registry/base/bytes.h"

namespace outport {

// A folder that is removed with its content when the test ends. Only the user who runs the test can
// read it.
class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_(std::filesystem::temp_directory_path() / ("outport-test-" + RandomHex(8))) {
    std::filesystem::create_directories(path_);
    std::filesystem::permissions(path_, std::filesystem::perms::owner_all);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

inline bool IsTemporaryFolder(const std::filesystem::path& path) {
  return path.filename().native().starts_with("outport-test-");
}

}  // namespace outport
