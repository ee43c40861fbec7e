#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "registry/base/file.h"
#include "registry/base/mutex.h"
#include "registry/oci/digest.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/checksums.h"
#include "registry/storage/disk/disk_blob_folder.h"

namespace outport {

// Writes one blob to a file in the pending folder, hashes and checksums the appended bytes, and
// moves the file to its final path. `folder` outlives the writer.
class DiskBlobWriter final : public BlobWriter {
 public:
  // Starts a blob whose digest is known.
  static Result<std::unique_ptr<BlobWriter>> Start(DiskBlobFolder& folder, const Digest& digest);
  // The first of these methods starts a new upload. The second one resumes an upload whose earlier
  // writer no longer exists.
  static Result<std::unique_ptr<BlobWriter>> Start(DiskBlobFolder& folder,
                                                   DigestAlgorithm algorithm,
                                                   const std::string& name);
  static Result<std::unique_ptr<BlobWriter>> Resume(DiskBlobFolder& folder,
                                                    DigestAlgorithm algorithm,
                                                    const std::string& name, uint64_t size_bytes);
  ~DiskBlobWriter() override;

  uint64_t size_bytes() const override;
  Result<void> Expect(uint64_t size_bytes) override;
  Result<void> Append(Bytes bytes) override;
  size_t alignment() const override { return kDirectBytes; }
  Result<void> Checkpoint() override;
  Result<uint64_t> Reread(uint64_t at_most) override;
  Result<size_t> Read(uint64_t offset, MutableBytes buffer) const override;
  Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const override;
  Digest Current(DigestAlgorithm algorithm) override;
  const std::string& object() const override;
  Result<BlobLocation> Commit(const Digest& expected, SyncWhen sync) override;

 private:
  enum class Kind { kBlob, kUpload };  // kBlob: the digest is known at the start
  enum class State { kWriting, kFailed, kCommitted };
  struct Readable {
    size_t size = 0;
    std::vector<uint32_t> checksums;  // the checksums of the blocks
  };

  DiskBlobWriter(DiskBlobFolder& folder, Kind kind, DigestAlgorithm algorithm, std::string serial,
                 const std::filesystem::path& path, std::unique_ptr<File> file);
  Result<void> Write(Bytes bytes);
  // Adds `bytes` to the hash and the checksums. The file has these bytes; they end at offset `end`.
  void Hash(Bytes bytes, uint64_t end);
  Result<Digest> Rehash(DigestAlgorithm algorithm) const;
  Result<void> Publish(const std::filesystem::path& target, SyncWhen sync);
  Result<Readable> FindReadable(uint64_t offset, size_t buffer_size) const;
  void Discard();

  DiskBlobFolder& folder_;
  const Kind kind_;
  const DigestAlgorithm algorithm_;
  const std::string serial_;  // makes the object's name new; for an upload, its name
  const std::string label_;   // the file's name in errors
  const std::unique_ptr<File> file_;
  std::filesystem::path path_;  // the file's current path
  State state_ = State::kWriting;
  uint64_t to_reread_ = 0;        // how many bytes Resume() found in the file
  bool name_is_durable_ = false;  // whether the pending folder was synced
  Hasher hasher_;
  uint64_t written_back_ = 0;   // write-back has started up to this offset
  mutable std::string object_;  // the last name that object() returned

  // Readers on other threads use the members below.
  mutable Mutex mutex_;
  uint64_t size_bytes_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::optional<uint64_t> whole_size_ OUTPORT_GUARDED_BY(mutex_);  // expected or committed size
  BlockChecksums checksums_ OUTPORT_GUARDED_BY(mutex_);
};

}  // namespace outport
