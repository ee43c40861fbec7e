#include "tests/support/fault_files.h"

#include <utility>

namespace outport {
namespace {

namespace fs = std::filesystem;

Error PowerIsCut(const fs::path& path) {
  return Error{ErrorCode::kInternal, "the power is cut at " + path.native()};
}

Error IoError(const fs::path& path) {
  return Error{ErrorCode::kInternal, "input/output error at " + path.native()};
}

Result<void> DoAt(FaultRecorder& recorder, uint64_t session, FaultKind kind, const fs::path& path,
                  const std::function<Result<void>(DiskImage&)>& change) {
  Result<void> result;
  const auto run = [&](DiskImage& image) { result = change(image); };
  switch (recorder.Do({kind, path}, session, run)) {
    case Fate::kDone:
      return result;
    case Fate::kPowerCut:
      return PowerIsCut(path);
    case Fate::kIoError:
      return IoError(path);
    case Fate::kNoSpace:
      return Error{ErrorCode::kNoSpace, "no space for " + path.native()};
  }
  std::unreachable();
}

class FaultFile final : public File {
 public:
  FaultFile(FaultRecorder& recorder, fs::path path, std::unique_ptr<File> real,
            DiskImage::NodePtr node)
      : recorder_(recorder),
        session_(recorder.session()),
        path_(std::move(path)),
        real_(std::move(real)),
        node_(std::move(node)) {}

  Result<void> WriteAt(uint64_t offset, Bytes bytes) override {
    return DoAt(recorder_, session_, FaultKind::kWrite, path_, [&](DiskImage&) -> Result<void> {
      TRY_VOID(real_->WriteAt(offset, bytes));
      DiskImage::Write(*node_, offset, AsText(bytes));
      return {};
    });
  }
  Result<size_t> ReadAt(uint64_t offset, MutableBytes buffer) const override {
    if (!recorder_.IsOn(session_)) return PowerIsCut(path_);
    if (recorder_.FailsRead(path_)) return IoError(path_);
    return real_->ReadAt(offset, buffer);
  }
  size_t ReadCachedAt(uint64_t offset, MutableBytes buffer) const override {
    return recorder_.IsOn(session_) ? real_->ReadCachedAt(offset, buffer) : 0;
  }
  Result<uint64_t> Size() const override {
    if (!recorder_.IsOn(session_)) return PowerIsCut(path_);
    return real_->Size();
  }
  Result<void> Truncate(uint64_t size) override {
    return DoAt(recorder_, session_, FaultKind::kWrite, path_, [&](DiskImage&) -> Result<void> {
      TRY_VOID(real_->Truncate(size));
      DiskImage::Truncate(*node_, size);
      return {};
    });
  }
  Result<void> Preallocate(uint64_t size) override {
    if (!recorder_.IsOn(session_)) return PowerIsCut(path_);
    return real_->Preallocate(size);
  }
  void BypassCache() override { real_->BypassCache(); }
  void StartWriteback(uint64_t, uint64_t) override {}  // guarantees nothing
  Result<void> Sync() override {
    return DoAt(recorder_, session_, FaultKind::kSyncFile, path_, [&](DiskImage&) -> Result<void> {
      if (node_ != nullptr) DiskImage::Sync(*node_);
      return {};
    });
  }

 private:
  FaultRecorder& recorder_;
  const uint64_t session_;
  const fs::path path_;
  const std::unique_ptr<File> real_;
  const DiskImage::NodePtr node_;  // shared with the image; nullptr: outside of the disk
};

}  // namespace

Result<void> FaultFileSystem::Do(FaultKind kind, const fs::path& path,
                                 const std::function<Result<void>(DiskImage&)>& change) {
  return DoAt(recorder_, recorder_.session(), kind, path, change);
}

Result<std::unique_ptr<File>> FaultFileSystem::Create(const fs::path& path) {
  std::unique_ptr<File> real;
  DiskImage::NodePtr node;
  TRY_VOID(Do(FaultKind::kCreate, path, [&](DiskImage& image) -> Result<void> {
    TRY(real, real_.Create(path));
    node = image.Create(path);
    return {};
  }));
  return std::make_unique<FaultFile>(recorder_, path, std::move(real), std::move(node));
}

Result<std::unique_ptr<File>> FaultFileSystem::OpenForRead(const fs::path& path) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  TRY(std::unique_ptr<File> real, real_.OpenForRead(path));
  DiskImage::NodePtr node = recorder_.Find(path);
  return std::make_unique<FaultFile>(recorder_, path, std::move(real), std::move(node));
}

Result<std::unique_ptr<File>> FaultFileSystem::OpenForWrite(const fs::path& path) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  TRY(std::unique_ptr<File> real, real_.OpenForWrite(path));
  DiskImage::NodePtr node = recorder_.Find(path);
  if (node == nullptr) return Error{ErrorCode::kInternal, path.native() + " is on another disk"};
  return std::make_unique<FaultFile>(recorder_, path, std::move(real), std::move(node));
}

Result<void> FaultFileSystem::Rename(const fs::path& from, const fs::path& to) {
  return Do(FaultKind::kRename, to, [&](DiskImage& image) -> Result<void> {
    TRY_VOID(real_.Rename(from, to));
    image.Rename(from, to);
    return {};
  });
}

Result<void> FaultFileSystem::Remove(const fs::path& path) {
  return Do(FaultKind::kRemove, path, [&](DiskImage& image) -> Result<void> {
    TRY_VOID(real_.Remove(path));
    image.Remove(path);
    return {};
  });
}

Result<void> FaultFileSystem::CreateDirectories(const fs::path& path) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  if (fs::is_directory(path)) return {};
  if (path.has_parent_path()) TRY_VOID(CreateDirectories(path.parent_path()));
  TRY_VOID(Do(FaultKind::kMakeFolder, path, [&](DiskImage& image) -> Result<void> {
    TRY_VOID(real_.CreateDirectories(path));
    image.Create(path, /*is_folder=*/true);
    return {};
  }));
  return SyncDirectory(path.parent_path());
}

Result<void> FaultFileSystem::SyncDirectory(const fs::path& path) {
  return Do(FaultKind::kSyncFolder, path, [&](DiskImage& image) -> Result<void> {
    image.SyncFolder(path);
    return {};
  });
}

Result<std::vector<std::string>> FaultFileSystem::List(const fs::path& path) {
  if (!recorder_.IsOn(recorder_.session())) return PowerIsCut(path);
  return real_.List(path);
}

Result<uint64_t> FaultFileSystem::FreeBytes(const fs::path& path) { return real_.FreeBytes(path); }

}  // namespace outport
