#include "registry/storage/disk/disk_blob_store.h"

#include <algorithm>
#include <set>
#include <span>

#include "registry/storage/checksums.h"
#include "registry/storage/disk/disk_blob_writer.h"

namespace outport {
namespace {

class DiskBlobReader final : public BlobReader {
 public:
  DiskBlobReader(std::unique_ptr<File> file, BlobLocation location)
      : file_(std::move(file)), location_(std::move(location)) {}

  uint64_t size_bytes() const override { return location_.size_bytes; }

  Result<size_t> Read(uint64_t offset, MutableBytes buffer) const override {
    TRY(const size_t wanted, Readable(offset, buffer.size(), location_.size_bytes));
    TRY(const size_t size, file_->ReadAt(offset, buffer.first(wanted)));
    if (size != wanted) {
      return Error{ErrorCode::kCorrupt, "the blob object " + location_.object +
                                            " is truncated at byte " +
                                            std::to_string(offset + size)};
    }
    TRY_VOID(Verify(offset, buffer.first(size)));
    return size;
  }

  Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const override {
    TRY(const size_t wanted, Readable(offset, buffer.size(), location_.size_bytes));
    if (wanted == 0) return size_t{0};
    const size_t cached = file_->ReadCachedAt(offset, buffer.first(wanted));
    TRY(const size_t size,
        Readable(offset, std::max<size_t>(cached, kChecksumBlockBytes), offset + cached));
    TRY_VOID(Verify(offset, buffer.first(size)));
    return size;
  }

 private:
  Result<size_t> Readable(uint64_t offset, uint64_t buffer_size, uint64_t end) const {
    return ReadableBytes(offset, buffer_size, end, location_.size_bytes);
  }

  // Checks the blocks that begin at `offset`. REQUIRES: `blocks` contains whole blocks.
  Result<void> Verify(uint64_t offset, Bytes blocks) const {
    if (blocks.empty()) return {};
    const std::span<const uint32_t> checksums(location_.checksums);
    return VerifyBlocks(location_.object, offset, blocks,
                        checksums.subspan(offset / kChecksumBlockBytes));
  }

  const std::unique_ptr<File> file_;
  const BlobLocation location_;
};

uint64_t BlocksOf(uint64_t size_bytes) {
  return size_bytes / kChecksumBlockBytes + (size_bytes % kChecksumBlockBytes != 0 ? 1 : 0);
}

}  // namespace

Result<std::unique_ptr<DiskBlobStore>> DiskBlobStore::Open(FileSystem& files,
                                                           const std::filesystem::path& root,
                                                           std::string pending, BlobWrites writes) {
  std::unique_ptr<DiskBlobStore> store(new DiskBlobStore(files, root, pending, writes));
  TRY_VOID(store->folder_.Prepare());
  return store;
}

Result<std::unique_ptr<BlobReader>> DiskBlobStore::Open(const BlobLocation& location) {
  TRY(const std::filesystem::path path, folder_.PathOf(location.object));
  Result<std::unique_ptr<File>> file = folder_.files().OpenForRead(path);
  if (!file.has_value()) {
    Error error = std::move(file).error();
    if (error.code == ErrorCode::kNotFound) error.code = ErrorCode::kBlobUnknown;
    return error;
  }
  TRY(const uint64_t size, (*file)->Size());
  if (size != location.size_bytes || location.checksums.size() != BlocksOf(size)) {
    return Error{ErrorCode::kCorrupt, "the blob object " + location.object + " has " +
                                          std::to_string(size) + " bytes, but its row says " +
                                          std::to_string(location.size_bytes)};
  }
  return std::make_unique<DiskBlobReader>(*std::move(file), location);
}

Result<std::unique_ptr<BlobWriter>> DiskBlobStore::Create(const Digest& digest) {
  return DiskBlobWriter::Start(folder_, digest);
}

Result<std::unique_ptr<BlobWriter>> DiskBlobStore::Create(DigestAlgorithm algorithm,
                                                          const std::string& name) {
  return DiskBlobWriter::Start(folder_, algorithm, name);
}

Result<std::unique_ptr<BlobWriter>> DiskBlobStore::Resume(DigestAlgorithm algorithm,
                                                          const std::string& name,
                                                          uint64_t size_bytes) {
  return DiskBlobWriter::Resume(folder_, algorithm, name, size_bytes);
}

Result<uint64_t> DiskBlobStore::UncommittedBytes(const std::string& name) {
  TRY(const std::filesystem::path path, folder_.PendingPathOf(name));
  TRY(const std::unique_ptr<File> file, folder_.files().OpenForRead(path));
  return file->Size();
}

Result<void> DiskBlobStore::Discard(const std::string& name) {
  TRY(const std::filesystem::path path, folder_.PendingPathOf(name));
  return folder_.files().Remove(path);
}

Result<void> DiskBlobStore::Sync(const std::string& object) {
  TRY(const std::filesystem::path path, folder_.PathOf(object));
  TRY(const std::unique_ptr<File> file, folder_.files().OpenForRead(path));
  TRY_VOID(file->Sync());
  return folder_.files().SyncDirectory(path.parent_path());
}

Result<void> DiskBlobStore::Remove(std::span<const std::string> objects,
                                   BlobWriter::SyncWhen sync) {
  if (objects.size() > kMaxRemovals) {
    return Error{ErrorCode::kInvalidArgument, std::to_string(objects.size()) +
                                                  " objects cannot be removed in one call; " +
                                                  std::to_string(kMaxRemovals) + " can"};
  }
  Result<void> first;
  const auto note = [&first](const Result<void>& done) {
    if (first.has_value() && !done.has_value()) first = done;
  };
  std::set<std::filesystem::path> folders;
  for (const std::string& object : objects) {
    const Result<std::filesystem::path> path = folder_.PathOf(object);
    if (!path.has_value()) {
      note(path.error());
      continue;
    }
    note(folder_.files().Remove(*path));
    folders.insert(path->parent_path());
  }
  if (sync == BlobWriter::SyncWhen::kLater) return first;
  for (const std::filesystem::path& folder : folders) {
    const Result<void> synced = folder_.files().SyncDirectory(folder);
    const bool absent = !synced.has_value() && synced.error().code == ErrorCode::kNotFound;
    if (!absent) note(synced);
  }
  return first;
}

Result<void> DiskBlobStore::Quarantine(const std::string& object) {
  TRY(const std::filesystem::path path, folder_.PathOf(object));
  if (Result<std::unique_ptr<File>> file = folder_.files().OpenForRead(path);
      !file.has_value() && file.error().code == ErrorCode::kNotFound) {
    return {};
  }
  return folder_.files().Rename(path, folder_.QuarantineOf(object));
}

Result<void> DiskBlobStore::DiscardUncommitted(const std::set<std::string>& keep) {
  TRY(const std::vector<std::string> names, folder_.files().List(folder_.pending()));
  for (const std::string& name : names) {
    if (keep.contains(name)) continue;
    TRY_VOID(folder_.files().Remove(folder_.pending() / name));
  }
  return {};
}

Result<uint64_t> DiskBlobStore::FreeBytes() { return folder_.files().FreeBytes(folder_.root()); }

}  // namespace outport
