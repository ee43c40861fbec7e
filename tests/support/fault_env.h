#pragma once

#include <rocksdb/file_system.h>

#include "tests/support/fault_recorder.h"

namespace outport {

// RocksDB's file system over a recorded disk. Reads and RocksDB's LOCK file are not recorded.
class FaultRocksFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultRocksFileSystem(FaultRecorder& recorder)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), recorder_(recorder) {}
  const char* Name() const override { return "FaultRocksFileSystem"; }

  using Status = rocksdb::IOStatus;
  using Options = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;

  Status NewSequentialFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug* dbg) override;
  Status NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                             std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                             Debug* dbg) override;
  Status NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* dbg) override;
  Status ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                            std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* dbg) override;
  Status ReuseWritableFile(const std::string& path, const std::string& old_path,
                           const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file, Debug* dbg) override;
  Status NewRandomRWFile(const std::string& path, const rocksdb::FileOptions& options,
                         std::unique_ptr<rocksdb::FSRandomRWFile>* file, Debug* dbg) override;
  Status NewDirectory(const std::string& path, const Options& options,
                      std::unique_ptr<rocksdb::FSDirectory>* directory, Debug* dbg) override;
  Status DeleteFile(const std::string& path, const Options& options, Debug* dbg) override;
  Status Truncate(const std::string& path, size_t size, const Options& options,
                  Debug* dbg) override;
  Status CreateDir(const std::string& path, const Options& options, Debug* dbg) override;
  Status CreateDirIfMissing(const std::string& path, const Options& options, Debug* dbg) override;
  Status DeleteDir(const std::string& path, const Options& options, Debug* dbg) override;
  Status RenameFile(const std::string& from, const std::string& to, const Options& options,
                    Debug* dbg) override;
  Status LinkFile(const std::string& from, const std::string& to, const Options& options,
                  Debug* dbg) override;

 private:
  Status Do(FaultKind kind, const std::string& path,
            const std::function<Status(DiskImage&)>& change);

  FaultRecorder& recorder_;
};

}  // namespace outport
