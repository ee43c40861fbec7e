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

// The bytes of a blob are checked in blocks of this size, one CRC32C each (the last may be short).
inline constexpr uint64_t kChecksumBlockBytes = 256 << 10;

// Where a committed blob is, and what its bytes must be: all that a reader needs beside the store.
struct BlobLocation {
  std::string object;  // the store's own name for it; fresh for every commit
  uint64_t size_bytes = 0;
  std::vector<uint32_t> checksums;  // CRC32C of each block
};

// Safe for several threads at once.
class BlobReader {
 public:
  virtual ~BlobReader() = default;
  virtual uint64_t size_bytes() const = 0;
  // Fills `buffer` from `offset`, which is a multiple of kChecksumBlockBytes, with whole blocks
  // (the buffer holds a multiple of the block, or reaches the blob's end); returns how many bytes.
  // Every block is checked; kCorrupt names the object and the block, and nothing of it may leave.
  // Blocks.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  // The same without ever waiting for a disk: 0 if that is not possible now.
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
};

// For one thread at a time. Destroying it uncommitted discards its bytes, unless it has a name:
// then they stay for BlobStore::Resume(), until BlobStore::Discard(). Every method may block.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  virtual uint64_t size_bytes() const = 0;
  // A hint of the whole size, so that space can be reserved; kNoSpace if there is none. What is
  // reserved beyond it is given back.
  virtual Result<void> Expect(uint64_t size_bytes) = 0;
  // After an error the writer can only be destroyed.
  virtual Result<void> Append(Bytes bytes) = 0;
  // Append() copies nothing if the address of `bytes` is congruent to size_bytes() modulo this, and
  // the end of `bytes` is a multiple of it.
  virtual size_t alignment() const = 0;
  // What was appended so far survives a power cut from here on. REQUIRES: it has a name.
  virtual Result<void> Checkpoint() = 0;
  // Of a writer that Resume() gave: takes in at most `at_most` of the bytes that were there, and
  // returns how many are left. REQUIRES: until that is 0, nothing else is called.
  virtual Result<uint64_t> Reread(uint64_t at_most) = 0;
  // Reads what was appended, by the rules of BlobReader: whole blocks from a block's start, each
  // checked; a short last block can be read once size_bytes() is what Expect() said. Safe beside an
  // Append on another thread, and after Commit.
  virtual Result<size_t> Read(uint64_t offset, MutableBytes buffer) const = 0;
  virtual Result<size_t> ReadCached(uint64_t offset, MutableBytes buffer) const = 0;
  // The digest of what was appended so far.
  virtual Digest Current(DigestAlgorithm algorithm) = 0;
  // The name that the commit will give the object: for the intent row, written before Commit.
  virtual const std::string& object() const = 0;
  // Publishes under `expected`; survives a power cut from here on, unless `sync` is kLater.
  // Returns kDigestInvalid, and discards, if the bytes hash otherwise. REQUIRES: not called before.
  enum class SyncWhen { kNow, kLater };
  virtual Result<BlobLocation> Commit(const Digest& expected, SyncWhen sync = SyncWhen::kNow) = 0;
};

// A BlobStore keeps immutable blobs as objects, each named by the digest of its bytes and a number
// that is fresh for each commit, so that a late delete never hits a re-push. It knows nothing of
// repositories. Safe for several threads. Every method may block: reach it through Blocking().
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  // Opens a blob; kBlobUnknown if its object is gone, kCorrupt if its size is another. The reader
  // outlives Remove().
  virtual Result<std::unique_ptr<BlobReader>> Open(const BlobLocation& location) = 0;
  // Starts a write, invisible until committed. `digest` is the name it will be committed under.
  virtual Result<std::unique_ptr<BlobWriter>> Create(const Digest& digest) = 0;
  // The same where the digest is known only at the end (an upload). `algorithm` is hashed on the
  // way; another one asked for at Commit costs a second reading. Another process can go on with it
  // by its `name`: fresh, at most 64 letters, digits, '-' and '_'.
  virtual Result<std::unique_ptr<BlobWriter>> Create(DigestAlgorithm algorithm,
                                                     const std::string& name) = 0;
  // Goes on with the first `size_bytes` of an upload whose writer is gone; what stands behind them
  // is dropped. They are taken in by Reread(). kNotFound if it was discarded or committed, kCorrupt
  // if there are fewer.
  virtual Result<std::unique_ptr<BlobWriter>> Resume(DigestAlgorithm algorithm,
                                                     const std::string& name,
                                                     uint64_t size_bytes) = 0;
  // How many bytes of an upload are there: after a power cut at least those of its last
  // Checkpoint(), after a kill all that were appended. kNotFound.
  virtual Result<uint64_t> UncommittedBytes(const std::string& name) = 0;
  // Discards an upload. One that is not there is no error. REQUIRES: its writer is not used again.
  virtual Result<void> Discard(const std::string& name) = 0;
  // Makes a kLater commit durable.
  virtual Result<void> Sync(const std::string& object) = 0;
  // An object that is not there is no error.
  virtual Result<void> Remove(const std::string& object) = 0;
  // Puts a bad object aside, for people to look at; the blob is gone from here.
  virtual Result<void> Quarantine(const std::string& object) = 0;
  // Discards what uncommitted writers of an earlier process left behind, but for uploads to `keep`.
  virtual Result<void> DiscardUncommitted(const std::set<std::string>& keep) = 0;
  virtual Result<uint64_t> FreeBytes() = 0;
};

}  // namespace outport
