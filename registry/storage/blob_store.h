#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"

namespace outport {

// A blob's bytes are checked in blocks of this size, with one CRC32C each. The last block may be
// shorter.
inline constexpr uint64_t kChecksumBlockBytes = 256 << 10;

// Where a committed blob is stored, and the checksums of its bytes. A reader needs nothing else.
struct BlobLocation {
  std::string object;  // the BlobStore's name of the blob's file; fresh for every commit
  uint64_t size_bytes = 0;
  std::vector<uint32_t> checksums;  // CRC32C of each block
};

// Reads one committed blob. Safe for several threads at once.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual uint64_t size_bytes() const = 0;
  // Fills `buffer` with whole blocks from `offset` on, and returns the number of bytes. Checks each
  // block. kCorrupt names the object and the block; the caller must not use the buffer then.
  // Blocks. REQUIRES: `offset` is a multiple of kChecksumBlockBytes; the size of `buffer` is one,
  // too, or the buffer reaches the end of the blob.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  // Reads as Read() does, but only from memory: returns 0 if the disk is needed. Does not block.
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
};

// Writes one blob. For one thread at a time. Destroying it before Commit() discards its bytes. The
// bytes of a named writer stay, for BlobStore::Resume(), until BlobStore::Discard(). Every method
// may block.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual uint64_t size_bytes() const = 0;
  // Announces the size of the whole blob: reserves space, or releases space reserved beyond it.
  // kNoSpace if the disk lacks the space.
  virtual Result<void> Expect(uint64_t size_bytes) = 0;
  // After an error the writer can only be destroyed.
  virtual Result<void> Append(Bytes bytes) = 0;
  // Append() avoids a copy if the address of `bytes` is congruent to size_bytes() modulo this
  // number, and if the appended bytes end at a multiple of it.
  virtual size_t alignment() const = 0;
  // Makes the bytes appended so far survive a power cut. REQUIRES: the writer has a name.
  virtual Result<void> Checkpoint() = 0;
  // For a writer from Resume(): hashes at most `at_most` of the bytes that are on the disk already,
  // and returns how many remain. REQUIRES: no other method is called before it has returned 0.
  virtual Result<uint64_t> Reread(uint64_t at_most) = 0;
  // Read appended bytes, by the rules of BlobReader. A short last block can be read once
  // size_bytes() equals the size that Expect() announced. Safe while another thread calls Append(),
  // and after Commit().
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
  // Returns the digest of the bytes appended so far.
  virtual Digest Current(DigestAlgorithm algorithm) = 0;
  // Returns the name that Commit() will give the object. The intent row needs it before.
  virtual const std::string& object() const = 0;
  // Publishes the blob under `expected`. It survives a power cut from then on, unless `sync` is
  // kLater. If the bytes have another digest, discards them and returns kDigestInvalid. REQUIRES:
  // not called before.
  enum class SyncWhen { kNow, kLater };
  virtual Result<BlobLocation> Commit(const Digest& expected, SyncWhen sync = SyncWhen::kNow) = 0;
};

// A BlobStore keeps immutable blobs as objects. An object's name has the blob's digest and a number
// that is fresh for each commit, so that a late delete never hits a later push. A BlobStore does
// not know repositories. Safe for several threads. Every method may block: call it through
// Blocking().
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // Opens a blob. kBlobUnknown if its object does not exist, kCorrupt if the object has another
  // size. The reader stays valid after Remove().
  virtual Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) = 0;
  // Starts a write, which is invisible until its commit. `digest` is the one it will be committed
  // under.
  virtual Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) = 0;
  // Starts the write of an upload, whose digest is not known yet. The writer hashes with
  // `algorithm`; a commit with another algorithm reads the bytes again. Another process can resume
  // the write by its `name`: fresh, at most 64 letters, digits, '-' and '_'.
  virtual Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                                     const std::string& name) = 0;
  // Resumes an upload whose writer does not exist any more, with its first `size_bytes` bytes;
  // truncates the rest. The caller calls Reread() first. kNotFound if the upload was discarded or
  // committed, kCorrupt if it has fewer bytes.
  virtual Result<std::unique_ptr<BlobWriter>> Resume(DigestAlgorithm algorithm,
                                                     const std::string& name,
                                                     uint64_t size_bytes) = 0;
  // Returns how many bytes of an upload exist. After a power cut these are at least the bytes of
  // its last Checkpoint(), after a kill all that were appended. kNotFound.
  virtual Result<uint64_t> UncommittedBytes(const std::string& name) = 0;
  // Discards an upload. Succeeds if there is none. REQUIRES: its writer is not used again.
  virtual Result<void> Discard(const std::string& name) = 0;
  // Makes an object durable that was committed with kLater.
  virtual Result<void> Sync(const std::string& object) = 0;
  // Removes an object. Succeeds if there is none.
  virtual Result<void> Remove(const std::string& object) = 0;
  // Moves a corrupt object into quarantine, for people to examine. Open() does not find it any
  // more.
  virtual Result<void> Quarantine(const std::string& object) = 0;
  // Discards the bytes of uncommitted writers of an earlier process, except of uploads in `keep`.
  virtual Result<void> DiscardUncommitted(const std::set<std::string>& keep) = 0;
  // Returns the free space of the disk.
  virtual Result<uint64_t> FreeBytes() = 0;
};

}  // namespace outport
