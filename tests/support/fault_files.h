#pragma once

#include "registry/base/file.h"
#include "tests/support/fault_recorder.h"

namespace outport {

// Our FileSystem over a recorded disk.
class FaultFileSystem final : public FileSystem {
 public:
  explicit FaultFileSystem(FaultRecorder& recorder) : recorder_(recorder) {}

  Result<std::unique_ptr<File>> Create(const std::filesystem::path& path) override;
  Result<std::unique_ptr<File>> OpenForRead(const std::filesystem::path& path) override;
  Result<std::unique_ptr<File>> OpenForWrite(const std::filesystem::path& path) override;
  Result<void> Rename(const std::filesystem::path& from, const std::filesystem::path& to) override;
  Result<void> Remove(const std::filesystem::path& path) override;
  Result<void> CreateDirectories(const std::filesystem::path& path) override;
  Result<void> SyncDirectory(const std::filesystem::path& path) override;
  Result<std::vector<std::string>> List(const std::filesystem::path& path) override;
  Result<uint64_t> FreeBytes(const std::filesystem::path& path) override;

 private:
  Result<void> Do(FaultKind kind, const std::filesystem::path& path,
                  const std::function<Result<void>(DiskImage&)>& change);

  FaultRecorder& recorder_;
  PosixFileSystem real_;
};

}  // namespace outport
