#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// Readers check a blob's bytes in blocks of this size. Each block has a CRC32C. The last block may
// be shorter.
inline constexpr uint64_t kChecksumBlockBytes = 256 << 10;

// Names the object of a committed blob and holds the checksums of its bytes. A reader needs no
// other information.
struct BlobLocation {
  std::string object;  // the blob's file, as the BlobStore names it; a new name for every commit
  uint64_t size_bytes = 0;
  std::vector<uint32_t> checksums;  // the CRC32C of each block
};

// Reads one committed blob. Safe for several threads at once.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual uint64_t size_bytes() const = 0;
  // Fills `buffer` with whole blocks from `offset` on, and returns the number of bytes. Checks each
  // block. kCorrupt if a block fails its checksum: the error names the object and the block, and
  // the caller must not use the buffer. Blocks. REQUIRES: `offset` is a multiple of
  // kChecksumBlockBytes. The size of `buffer` is also a multiple, or the buffer reaches the end of
  // the blob.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  // Reads as Read() does, but only from memory. Returns 0 if the bytes must be read from the disk.
  // Does not block.
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
};

// Writes one blob. For one thread at a time. A writer that is destroyed before Commit() discards
// its bytes. Only the writer of an upload, which has a name, leaves its bytes on the disk.
// BlobStore::Resume() continues with these bytes, and BlobStore::Discard() discards them. Every
// method may block.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual uint64_t size_bytes() const = 0;
  // Announces the size of the whole blob. Reserves disk space for that size. If more space was
  // reserved before, releases the excess. kNoSpace if the disk lacks the space.
  virtual Result<void> Expect(uint64_t size_bytes) = 0;
  // Adds the bytes to the end of the blob. After an error the caller can only destroy the writer.
  virtual Result<void> Append(Bytes bytes) = 0;
  // Returns an alignment in bytes. Append() need not copy `bytes` if two conditions hold. The
  // address of `bytes` and size_bytes() are equal modulo the alignment, and the blob's size after
  // the append is a multiple of the alignment.
  virtual size_t alignment() const = 0;
  // Syncs the bytes appended so far, so that they survive a power cut. REQUIRES: the writer has a
  // name.
  virtual Result<void> Checkpoint() = 0;
  // Only for a writer from Resume(). Hashes the next bytes that are already on the disk, at most
  // `at_most` of them, and returns how many bytes remain to be hashed. REQUIRES: the caller calls
  // no other method before Reread() has returned 0.
  virtual Result<uint64_t> Reread(uint64_t at_most) = 0;
  // These two methods read appended bytes, by the rules of BlobReader. A last block that is shorter
  // than the others can be read when size_bytes() has reached the size that Expect() announced.
  // Callable while another thread calls Append(), and after Commit().
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
  // Returns the digest of the bytes appended so far.
  virtual Digest Current(DigestAlgorithm algorithm) = 0;
  // Returns the name that Commit() will give the object. The caller writes this name into the
  // intent before it calls Commit().
  virtual const std::string& object() const = 0;
  // Publishes the blob under the digest `expected`. When Commit() has returned, the blob survives a
  // power cut, unless `sync` is kLater. If the bytes have another digest, discards them and returns
  // kDigestInvalid. REQUIRES: not called before.
  enum class SyncWhen { kNow, kLater };
  virtual Result<BlobLocation> Commit(const Digest& expected, SyncWhen sync = SyncWhen::kNow) = 0;
};

// A BlobStore keeps immutable blobs as objects. An object's name has the blob's digest and a number
// that is new for each commit. So a late delete of an old object never removes the object of a
// later push. A BlobStore does not know repositories. Safe for several threads. Every method may
// block: call it through Blocking().
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // Opens a blob. kBlobUnknown if its object does not exist, kCorrupt if the object has another
  // size. The reader stays valid after Remove().
  virtual Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) = 0;
  // Starts the write of a blob whose digest is known. Readers of the store see the blob only after
  // Commit(), which must get the same digest.
  virtual Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) = 0;
  // Starts the write of an upload, whose digest is not known yet. The writer hashes with
  // `algorithm`; a commit with another algorithm reads the bytes again. A later process can resume
  // the write by its `name`. The name must be new, and consists of at most 64 letters, digits, '-'
  // and '_'.
  virtual Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                                     const std::string& name) = 0;
  // Resumes an upload whose earlier writer no longer exists. Keeps the upload's first `size_bytes`
  // bytes and truncates the rest. The caller must call Reread() first. kNotFound if the upload was
  // discarded or committed, kCorrupt if it has fewer bytes.
  virtual Result<std::unique_ptr<BlobWriter>> Resume(DigestAlgorithm algorithm,
                                                     const std::string& name,
                                                     uint64_t size_bytes) = 0;
  // Returns how many bytes of an upload exist. After a power cut these are at least the bytes of
  // its last Checkpoint(). After a kill of the process these are all appended bytes. kNotFound if
  // there is no such upload.
  virtual Result<uint64_t> UncommittedBytes(const std::string& name) = 0;
  // Discards an upload. Succeeds also if there is no such upload. REQUIRES: nobody uses its writer
  // again.
  virtual Result<void> Discard(const std::string& name) = 0;
  // Syncs an object that was committed with kLater, so that it survives a power cut.
  virtual Result<void> Sync(const std::string& object) = 0;
  // Removes objects, at most kMaxRemovals of them. An object that does not exist counts as removed.
  // If an object cannot be removed, goes on with the others and then returns the first error, which
  // names that object. After an error any of the objects may still exist; the call can be repeated.
  // After success the removals survive a power cut, unless `sync` is kLater. kInvalidArgument, and
  // nothing is removed, if there are too many objects.
  virtual Result<void> Remove(std::span<const std::string> objects,
                              BlobWriter::SyncWhen sync = BlobWriter::SyncWhen::kNow) = 0;
  static constexpr size_t kMaxRemovals = 1000;
  // Moves a corrupt object into quarantine, for people to examine. Open() no longer finds the
  // object.
  virtual Result<void> Quarantine(const std::string& object) = 0;
  // Discards the uncommitted bytes that an earlier process left, except those of the uploads in
  // `keep`.
  virtual Result<void> DiscardUncommitted(const std::set<std::string>& keep) = 0;
  // Returns the free space of the disk in bytes.
  virtual Result<uint64_t> FreeBytes() = 0;
};

}  // namespace outport
