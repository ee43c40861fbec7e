#include "registry/storage/disk/disk_blob_writer.h"

#include <algorithm>
#include <limits>
#include <vector>

namespace outport {
namespace {

constexpr uint64_t kWritebackBytes = 8 << 20;
constexpr size_t kRehashBytes = 1 << 20;
static_assert(kRehashBytes % kChecksumBlockBytes == 0);

Error AlreadyFailed() {
  return Error{ErrorCode::kInternal, "cannot write a blob after a failed write"};
}

}  // namespace

Result<std::unique_ptr<BlobWriter>> DiskBlobWriter::Start(DiskBlobFolder& folder,
                                                          const Digest& digest) {
  std::string serial = RandomHex(8);
  const std::filesystem::path path =
      folder.pending() /
      (std::string(digest.algorithm_name()) + "-" + digest.hex() + "." + serial + ".part");
  TRY(std::unique_ptr<File> file, folder.files().Create(path));
  std::unique_ptr<DiskBlobWriter> writer(new DiskBlobWriter(
      folder, Kind::kBlob, digest.algorithm(), std::move(serial), path, std::move(file)));
  writer->object_ = DiskBlobFolder::NewObject(digest, writer->serial_);
  return writer;
}

Result<std::unique_ptr<BlobWriter>> DiskBlobWriter::Start(DiskBlobFolder& folder,
                                                          DigestAlgorithm algorithm,
                                                          const std::string& name) {
  TRY(const std::filesystem::path path, folder.PendingPathOf(name));
  TRY(std::unique_ptr<File> file, folder.files().Create(path));
  std::unique_ptr<DiskBlobWriter> writer(
      new DiskBlobWriter(folder, Kind::kUpload, algorithm, name, path, std::move(file)));
  return writer;
}

Result<std::unique_ptr<BlobWriter>> DiskBlobWriter::Resume(DiskBlobFolder& folder,
                                                           DigestAlgorithm algorithm,
                                                           const std::string& name,
                                                           uint64_t size_bytes) {
  TRY(const std::filesystem::path path, folder.PendingPathOf(name));
  TRY(std::unique_ptr<File> file, folder.files().OpenForWrite(path));
  TRY(const uint64_t there, file->Size());
  if (there < size_bytes) {
    return Error{ErrorCode::kCorrupt, "the upload " + path.native() + " has " +
                                          std::to_string(there) + " bytes, but needs " +
                                          std::to_string(size_bytes)};
  }
  TRY_VOID(file->Truncate(size_bytes));  // also releases reserved space
  std::unique_ptr<DiskBlobWriter> writer(
      new DiskBlobWriter(folder, Kind::kUpload, algorithm, name, path, std::move(file)));
  writer->to_reread_ = size_bytes;
  return writer;
}

DiskBlobWriter::DiskBlobWriter(DiskBlobFolder& folder, Kind kind, DigestAlgorithm algorithm,
                               std::string serial, const std::filesystem::path& path,
                               std::unique_ptr<File> file)
    : folder_(folder),
      kind_(kind),
      algorithm_(algorithm),
      serial_(std::move(serial)),
      label_(path.native()),
      file_(std::move(file)),
      path_(path),
      hasher_(algorithm) {
  if (folder.writes() == BlobWrites::kDirect) file_->BypassCache();
}

DiskBlobWriter::~DiskBlobWriter() {
  if (kind_ == Kind::kBlob && state_ != State::kCommitted) Discard();
}

// Removes the file. If the removal fails, the file does no harm: no row names the object, and
// DiscardUncommitted() removes a file in the pending folder at the next start.
void DiskBlobWriter::Discard() {
  state_ = State::kFailed;
  if (path_.empty()) return;
  [[maybe_unused]] const Result<void> best_effort = folder_.files().Remove(path_);
  path_.clear();
}

uint64_t DiskBlobWriter::size_bytes() const {
  MutexLock lock(mutex_);
  return size_bytes_;
}

Result<void> DiskBlobWriter::Expect(uint64_t size_bytes) {
  if (size_bytes > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Error{ErrorCode::kNoSpace,
                 "a blob of " + std::to_string(size_bytes) + " bytes is larger than any disk"};
  }
  const uint64_t received = this->size_bytes();
  if (size_bytes > received) {
    TRY_VOID(file_->Preallocate(size_bytes));
  } else {
    TRY_VOID(file_->Truncate(received));
  }
  MutexLock lock(mutex_);
  whole_size_ = size_bytes;
  return {};
}

Result<void> DiskBlobWriter::Append(Bytes bytes) {
  if (state_ != State::kWriting) return AlreadyFailed();
  Result<void> result = Write(bytes);
  if (!result.has_value()) state_ = State::kFailed;
  return result;
}

Result<void> DiskBlobWriter::Write(Bytes bytes) {
  const uint64_t offset = size_bytes();
  TRY_VOID(file_->WriteAt(offset, bytes));
  const uint64_t end = offset + bytes.size();
  if (end - written_back_ >= kWritebackBytes) {
    file_->StartWriteback(written_back_, end - written_back_);
    written_back_ = end;
  }
  Hash(bytes, end);
  return {};
}

void DiskBlobWriter::Hash(Bytes bytes, uint64_t end) {
  hasher_.Update(bytes);
  MutexLock lock(mutex_);
  checksums_.Update(bytes);
  size_bytes_ = end;
}

// The first checkpoint also syncs the file's name, because Start() does not sync it.
Result<void> DiskBlobWriter::Checkpoint() {
  if (state_ != State::kWriting) return AlreadyFailed();
  Result<void> synced = file_->Sync();
  if (synced.has_value() && !name_is_durable_) {
    synced = folder_.files().SyncDirectory(folder_.pending());
    name_is_durable_ = synced.has_value();
  }
  if (!synced.has_value()) state_ = State::kFailed;
  return synced;
}

Result<uint64_t> DiskBlobWriter::Reread(uint64_t at_most) {
  const uint64_t begin = size_bytes();
  const uint64_t end = begin + std::min(at_most, to_reread_ - begin);
  std::vector<std::byte> buffer(static_cast<size_t>(std::min<uint64_t>(kRehashBytes, end - begin)));
  for (uint64_t offset = begin; offset < end;) {
    const size_t wanted = static_cast<size_t>(std::min<uint64_t>(buffer.size(), end - offset));
    TRY(const size_t size, file_->ReadAt(offset, MutableBytes(buffer).first(wanted)));
    if (size == 0)
      return Error{ErrorCode::kCorrupt, "reading back " + label_ + ": the file is truncated"};
    offset += size;
    Hash(Bytes(buffer).first(size), offset);
  }
  written_back_ = end;
  return to_reread_ - end;
}

Result<DiskBlobWriter::Readable> DiskBlobWriter::FindReadable(uint64_t offset,
                                                              size_t buffer_size) const {
  MutexLock lock(mutex_);
  const bool whole = whole_size_ == size_bytes_;
  const uint64_t end = whole ? size_bytes_ : checksums_.full().size() * kChecksumBlockBytes;
  const uint64_t total = whole ? end : std::numeric_limits<uint64_t>::max();
  Readable readable;
  TRY(readable.size, ReadableBytes(offset, buffer_size, end, total));
  const size_t first = offset / kChecksumBlockBytes;
  const auto full = checksums_.full();
  for (uint64_t done = 0; done < readable.size; done += kChecksumBlockBytes) {
    const size_t block = first + done / kChecksumBlockBytes;
    readable.checksums.push_back(block < full.size() ? full[block] : checksums_.partial());
  }
  return readable;
}

Result<size_t> DiskBlobWriter::Read(uint64_t offset, MutableBytes buffer) const {
  TRY(const Readable readable, FindReadable(offset, buffer.size()));
  const MutableBytes wanted = buffer.first(readable.size);
  TRY(const size_t size, file_->ReadAt(offset, wanted));
  if (size != wanted.size()) {
    return Error{ErrorCode::kCorrupt, label_ + " was truncated while being written"};
  }
  TRY_VOID(VerifyBlocks(label_, offset, wanted, readable.checksums));
  return size;
}

Result<size_t> DiskBlobWriter::ReadCached(uint64_t offset, MutableBytes buffer) const {
  TRY(const Readable readable, FindReadable(offset, buffer.size()));
  if (readable.size == 0) return size_t{0};
  const size_t cached = file_->ReadCachedAt(offset, buffer.first(readable.size));
  const uint64_t end = offset + readable.size;
  TRY(const size_t size,
      ReadableBytes(offset, std::max<size_t>(cached, kChecksumBlockBytes), offset + cached, end));
  TRY_VOID(VerifyBlocks(label_, offset, buffer.first(size), readable.checksums));
  return size;
}

Result<Digest> DiskBlobWriter::Rehash(DigestAlgorithm algorithm) const {
  Hasher hasher(algorithm);
  std::vector<std::byte> buffer(kRehashBytes);
  const uint64_t size = size_bytes();
  for (uint64_t offset = 0; offset < size;) {
    TRY(const size_t n, file_->ReadAt(offset, buffer));
    if (n == 0)
      return Error{ErrorCode::kCorrupt, "reading back " + label_ + ": the file is truncated"};
    hasher.Update(Bytes(buffer).first(n));
    offset += n;
  }
  return hasher.Current();
}

Digest DiskBlobWriter::Current(DigestAlgorithm algorithm) {
  if (algorithm == algorithm_) return hasher_.Current();
  Result<Digest> digest = Rehash(algorithm);
  if (digest.has_value()) return *std::move(digest);
  // If the bytes cannot be read back, their digest is unknown, so a commit is impossible.
  state_ = State::kFailed;
  return Digest::Of(algorithm, {});
}

// The object of an upload is named by the digest of the bytes appended so far, so call object()
// after the last append. The name has the algorithm with which the upload was hashed, even if
// Commit() gets a digest of another algorithm.
const std::string& DiskBlobWriter::object() const {
  if (kind_ == Kind::kUpload && state_ == State::kWriting) {
    object_ = DiskBlobFolder::NewObject(hasher_.Current(), serial_);
  }
  return object_;
}

Result<BlobLocation> DiskBlobWriter::Commit(const Digest& expected, SyncWhen sync) {
  if (state_ != State::kWriting) return AlreadyFailed();
  BlobLocation location;
  location.object = object();
  Result<Digest> actual = expected.algorithm() == algorithm_ ? Result<Digest>(hasher_.Current())
                                                             : Rehash(expected.algorithm());
  if (actual.has_value() && *actual != expected) {
    actual = Error{ErrorCode::kDigestInvalid, "the content has the digest " + actual->ToString() +
                                                  ", not " + expected.ToString()};
  }
  if (!actual.has_value()) {
    Discard();
    return actual.error();
  }
  TRY(const std::filesystem::path target, folder_.PathOf(location.object));
  if (Result<void> published = Publish(target, sync); !published.has_value()) {
    Discard();
    return published.error();
  }
  state_ = State::kCommitted;
  MutexLock lock(mutex_);
  whole_size_ = size_bytes_;
  location.size_bytes = size_bytes_;
  location.checksums = checksums_.All();
  return location;
}

// Never syncs a file again after its sync has failed. The second fsync might succeed although the
// first one has lost bytes.
Result<void> DiskBlobWriter::Publish(const std::filesystem::path& target, SyncWhen sync) {
  if (sync == SyncWhen::kNow) TRY_VOID(file_->Sync());
  TRY_VOID(folder_.PrepareParent(target));
  TRY_VOID(folder_.files().Rename(path_, target));
  path_ = target;
  if (sync == SyncWhen::kNow) TRY_VOID(folder_.files().SyncDirectory(target.parent_path()));
  return {};
}

}  // namespace outport
