#include "tests/support/fault_env.h"

#include <utility>

namespace outport {
namespace {

using rocksdb::IOStatus;
using Options = rocksdb::IOOptions;
using Debug = rocksdb::IODebugContext;

IOStatus PowerIsCut(const std::string& path) { return IOStatus::IOError("the power is cut", path); }

IOStatus IoError(const std::string& path) { return IOStatus::IOError("input/output error", path); }

IOStatus DoAt(FaultRecorder& recorder, uint64_t session, FaultKind kind, const std::string& path,
              const std::function<IOStatus(DiskImage&)>& change) {
  IOStatus status;
  const auto run = [&](DiskImage& image) { status = change(image); };
  switch (recorder.Do({kind, path}, session, run)) {
    case Fate::kDone:
      return status;
    case Fate::kPowerCut:
      return PowerIsCut(path);
    case Fate::kIoError:
      return IoError(path);
    case Fate::kNoSpace:
      return IOStatus::NoSpace("no space", path);
  }
  std::unreachable();
}

class FaultWritableFile final : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultWritableFile(FaultRecorder& recorder, std::string path,
                    std::unique_ptr<rocksdb::FSWritableFile> real, DiskImage::NodePtr node)
      : FSWritableFileOwnerWrapper(std::move(real)),
        recorder_(recorder),
        session_(recorder.session()),
        path_(std::move(path)),
        node_(std::move(node)) {}

  IOStatus Append(const rocksdb::Slice& data, const Options& options, Debug* dbg) override {
    return DoAt(recorder_, session_, FaultKind::kWrite, path_, [&](DiskImage&) {
      IOStatus status = target()->Append(data, options, dbg);
      if (status.ok()) DiskImage::Write(*node_, node_->data.size(), {data.data(), data.size()});
      return status;
    });
  }
  IOStatus Append(const rocksdb::Slice& data, const Options& options,
                  const rocksdb::DataVerificationInfo&, Debug* dbg) override {
    return Append(data, options, dbg);
  }
  IOStatus PositionedAppend(const rocksdb::Slice&, uint64_t, const Options&, Debug*) override {
    return IOStatus::NotSupported("PositionedAppend on a fault disk");
  }
  IOStatus Truncate(uint64_t size, const Options& options, Debug* dbg) override {
    return DoAt(recorder_, session_, FaultKind::kWrite, path_, [&](DiskImage&) {
      IOStatus status = target()->Truncate(size, options, dbg);
      if (status.ok()) DiskImage::Truncate(*node_, size);
      return status;
    });
  }
  IOStatus Sync(const Options&, Debug*) override {
    return DoAt(recorder_, session_, FaultKind::kSyncFile, path_, [&](DiskImage&) {
      DiskImage::Sync(*node_);
      return IOStatus::OK();
    });
  }
  IOStatus Fsync(const Options& options, Debug* dbg) override { return Sync(options, dbg); }
  IOStatus RangeSync(uint64_t, uint64_t, const Options&, Debug*) override {
    return IOStatus::OK();  // guarantees nothing
  }

 private:
  FaultRecorder& recorder_;
  const uint64_t session_;
  const std::string path_;
  const DiskImage::NodePtr node_;  // shared with the image
};

class FaultRandomAccessFile final : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FaultRandomAccessFile(FaultRecorder& recorder, std::string path,
                        std::unique_ptr<rocksdb::FSRandomAccessFile> real)
      : FSRandomAccessFileOwnerWrapper(std::move(real)),
        recorder_(recorder),
        path_(std::move(path)) {}

  IOStatus Read(uint64_t offset, size_t size, const Options& options, rocksdb::Slice* result,
                char* buffer, Debug* dbg) const override {
    if (recorder_.FailsRead(path_)) return IoError(path_);
    return target()->Read(offset, size, options, result, buffer, dbg);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const Options& options,
                     Debug* dbg) override {
    if (recorder_.FailsRead(path_)) return IoError(path_);
    return target()->MultiRead(requests, count, options, dbg);
  }

 private:
  FaultRecorder& recorder_;
  const std::string path_;
};

class FaultDirectory final : public rocksdb::FSDirectoryWrapper {
 public:
  FaultDirectory(FaultRecorder& recorder, std::string path,
                 std::unique_ptr<rocksdb::FSDirectory> real)
      : FSDirectoryWrapper(std::move(real)),
        recorder_(recorder),
        session_(recorder.session()),
        path_(std::move(path)) {}

  IOStatus Fsync(const Options&, Debug*) override {
    return DoAt(recorder_, session_, FaultKind::kSyncFolder, path_, [&](DiskImage& image) {
      image.SyncFolder(path_);
      return IOStatus::OK();
    });
  }
  IOStatus FsyncWithDirOptions(const Options& options, Debug* dbg,
                               const rocksdb::DirFsyncOptions&) override {
    return Fsync(options, dbg);
  }

 private:
  FaultRecorder& recorder_;
  const uint64_t session_;
  const std::string path_;
};

}  // namespace

IOStatus FaultRocksFileSystem::Do(FaultKind kind, const std::string& path,
                                  const std::function<IOStatus(DiskImage&)>& change) {
  return DoAt(recorder_, recorder_.session(), kind, path, change);
}

IOStatus FaultRocksFileSystem::NewSequentialFile(const std::string& path,
                                                 const rocksdb::FileOptions& options,
                                                 std::unique_ptr<rocksdb::FSSequentialFile>* file,
                                                 Debug* dbg) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  return target()->NewSequentialFile(path, options, file, dbg);
}

IOStatus FaultRocksFileSystem::NewRandomAccessFile(
    const std::string& path, const rocksdb::FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug* dbg) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  std::unique_ptr<rocksdb::FSRandomAccessFile> real;
  IOStatus status = target()->NewRandomAccessFile(path, options, &real, dbg);
  if (status.ok()) {
    *file = std::make_unique<FaultRandomAccessFile>(recorder_, path, std::move(real));
  }
  return status;
}

IOStatus FaultRocksFileSystem::NewWritableFile(const std::string& path,
                                               const rocksdb::FileOptions& options,
                                               std::unique_ptr<rocksdb::FSWritableFile>* file,
                                               Debug* dbg) {
  std::unique_ptr<rocksdb::FSWritableFile> real;
  DiskImage::NodePtr node;
  const IOStatus status = Do(FaultKind::kCreate, path, [&](DiskImage& image) {
    IOStatus created = target()->NewWritableFile(path, options, &real, dbg);
    if (created.ok()) node = image.Create(path);
    return created;
  });
  if (status.ok()) {
    *file = std::make_unique<FaultWritableFile>(recorder_, path, std::move(real), std::move(node));
  }
  return status;
}

IOStatus FaultRocksFileSystem::ReopenWritableFile(const std::string& path,
                                                  const rocksdb::FileOptions& options,
                                                  std::unique_ptr<rocksdb::FSWritableFile>* file,
                                                  Debug* dbg) {
  std::unique_ptr<rocksdb::FSWritableFile> real;
  DiskImage::NodePtr node;
  const IOStatus status = Do(FaultKind::kCreate, path, [&](DiskImage& image) {
    IOStatus opened = target()->ReopenWritableFile(path, options, &real, dbg);
    if (opened.ok()) node = image.Find(path) ? image.Find(path) : image.Create(path);
    return opened;
  });
  if (status.ok()) {
    *file = std::make_unique<FaultWritableFile>(recorder_, path, std::move(real), std::move(node));
  }
  return status;
}

IOStatus FaultRocksFileSystem::ReuseWritableFile(const std::string&, const std::string&,
                                                 const rocksdb::FileOptions&,
                                                 std::unique_ptr<rocksdb::FSWritableFile>*,
                                                 Debug*) {
  return IOStatus::NotSupported("ReuseWritableFile on a fault disk");
}

IOStatus FaultRocksFileSystem::NewRandomRWFile(const std::string&, const rocksdb::FileOptions&,
                                               std::unique_ptr<rocksdb::FSRandomRWFile>*, Debug*) {
  return IOStatus::NotSupported("NewRandomRWFile on a fault disk");
}

IOStatus FaultRocksFileSystem::NewDirectory(const std::string& path, const Options& options,
                                            std::unique_ptr<rocksdb::FSDirectory>* directory,
                                            Debug* dbg) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  std::unique_ptr<rocksdb::FSDirectory> real;
  IOStatus status = target()->NewDirectory(path, options, &real, dbg);
  if (status.ok()) {
    *directory = std::make_unique<FaultDirectory>(recorder_, path, std::move(real));
  }
  return status;
}

IOStatus FaultRocksFileSystem::DeleteFile(const std::string& path, const Options& options,
                                          Debug* dbg) {
  return Do(FaultKind::kRemove, path, [&](DiskImage& image) {
    IOStatus status = target()->DeleteFile(path, options, dbg);
    if (status.ok()) image.Remove(path);
    return status;
  });
}

IOStatus FaultRocksFileSystem::Truncate(const std::string& path, size_t size,
                                        const Options& options, Debug* dbg) {
  return Do(FaultKind::kWrite, path, [&](DiskImage& image) {
    IOStatus status = target()->Truncate(path, size, options, dbg);
    const DiskImage::NodePtr node = image.Find(path);
    if (status.ok() && node != nullptr) DiskImage::Truncate(*node, size);
    return status;
  });
}

IOStatus FaultRocksFileSystem::CreateDir(const std::string& path, const Options& options,
                                         Debug* dbg) {
  return Do(FaultKind::kMakeFolder, path, [&](DiskImage& image) {
    IOStatus status = target()->CreateDir(path, options, dbg);
    if (status.ok()) image.Create(path, /*is_folder=*/true);
    return status;
  });
}

IOStatus FaultRocksFileSystem::CreateDirIfMissing(const std::string& path, const Options& options,
                                                  Debug* dbg) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  if (std::filesystem::is_directory(path)) return IOStatus::OK();
  return CreateDir(path, options, dbg);
}

IOStatus FaultRocksFileSystem::DeleteDir(const std::string& path, const Options& options,
                                         Debug* dbg) {
  return Do(FaultKind::kRemove, path, [&](DiskImage& image) {
    IOStatus status = target()->DeleteDir(path, options, dbg);
    if (status.ok()) image.Remove(path);
    return status;
  });
}

IOStatus FaultRocksFileSystem::RenameFile(const std::string& from, const std::string& to,
                                          const Options& options, Debug* dbg) {
  return Do(FaultKind::kRename, to, [&](DiskImage& image) {
    IOStatus status = target()->RenameFile(from, to, options, dbg);
    if (status.ok()) image.Rename(from, to);
    return status;
  });
}

IOStatus FaultRocksFileSystem::LinkFile(const std::string& from, const std::string& to,
                                        const Options& options, Debug* dbg) {
  return Do(FaultKind::kCreate, to, [&](DiskImage& image) {
    IOStatus status = target()->LinkFile(from, to, options, dbg);
    if (status.ok()) image.Link(from, to);
    return status;
  });
}

}  // namespace outport
