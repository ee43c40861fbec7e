#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/oci/byte_range.h"
#include "registry/oci/digest.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/oci/referrer.h"
#include "registry/service/visible.h"

namespace outport {

// Who asks, for logs, audit and the store behind a node. Access was decided before.
struct Caller {
  std::string user;
  // Carried to the store by a node's writes; never logged. Null: none came. Shared with the
  // session.
  std::shared_ptr<const Secret> password = nullptr;
  std::string certificate;  // the name in the client certificate
  std::string address;
  std::string node = {};   // that relayed it, at the store
  std::string request_id;  // crosses from node to store
  // What the caller has seen of the store's change log (Outport-Min-Sequence): no answer may be
  // older. kUnavailable where that cannot be had.
  uint64_t min_sequence = 0;
};

// How old an answer from a replica may be. Absent: it is the store's own, or provably fresh enough.
struct Staleness {
  std::chrono::seconds age{0};
};

struct ManifestInfo {
  Digest digest;
  std::string media_type;
  uint64_t size_bytes = 0;
  std::optional<Staleness> stale = std::nullopt;
};

struct StoredManifest {
  ManifestInfo info;
  std::string body;  // the exact bytes that were pushed, at most kMaxManifestBytes
};

struct PushedManifest {
  Digest digest;
  std::optional<Digest> subject;  // to be acknowledged with OCI-Subject
  uint64_t sequence = 0;          // of the change, for Outport-Sequence
};

struct Deleted {
  uint64_t sequence = 0;  // of the change
};

struct BlobInfo {
  Digest digest;
  uint64_t size_bytes = 0;
};

// The bytes of one blob for one response. For one coroutine at a time.
class BlobBody {
 public:
  virtual ~BlobBody() = default;
  virtual const BlobInfo& info() const = 0;
  // Bytes from `offset`, at least one and at most the buffer, all of them verified by checksum; the
  // span stays valid until the next call. Never called at or past the end.
  // An error after the response has begun means: cut the connection, the body must not look whole.
  virtual Awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) = 0;
};

// The body of a request, read as it arrives. For one coroutine at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The length that the client announced, if it did.
  virtual std::optional<uint64_t> length() const = 0;
  // Fills at least one byte of `buffer`; 0 at the end. An error (the client left, a bad chunk, a
  // deadline) ends the body.
  virtual Awaitable<Result<size_t>> Read(MutableBytes buffer) = 0;
};

struct UploadStatus {
  std::string id;
  uint64_t size_bytes = 0;  // received so far
};

struct PushedBlob {
  BlobInfo info;
  uint64_t sequence = 0;
};

// Items after `last` in byte order, at most `limit` (1 to kMaxPage).
struct PageRequest {
  std::string last;
  size_t limit = 0;
};
inline constexpr size_t kMaxPage = 1000;

struct Page {
  std::vector<std::string> items;
  bool more = false;  // items remain behind the last one
  std::optional<Staleness> stale = std::nullopt;
};

struct ReferrersPage {
  std::vector<ReferrerInfo> items;
  std::string next;  // where the next page goes on (PageRequest::last); empty: this is the last one
  std::optional<Staleness> stale = std::nullopt;
};

// The verbs of a registry, without transport. The store answers them from its storage, a node from
// its replica and the store behind it. Callable from any strand, many at once; nothing here blocks
// the thread. References must live until the awaited call returns.
//
// Common errors: kNameUnknown where the repository does not exist, kUnavailable (with Retry-After)
// where a node cannot know, kNoSpace, kTooManyRequests, kInternal.
class Registry {
 public:
  virtual ~Registry() = default;

  // kManifestUnknown.
  virtual Awaitable<Result<StoredManifest>> GetManifest(const Caller& caller,
                                                        const RepositoryName& repository,
                                                        const Reference& reference) = 0;
  virtual Awaitable<Result<ManifestInfo>> StatManifest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Reference& reference) = 0;
  // Stores the exact bytes and sets the tag of `reference`, if it is one, and all of `tags`, in one
  // change. kManifestInvalid, kManifestBlobUnknown with the missing digests as items,
  // kDigestInvalid if `reference` is a digest of other bytes. Durable.
  virtual Awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body) = 0;
  // A tag: it alone goes. A digest: the manifest and every tag on it. kManifestUnknown. Durable.
  virtual Awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Reference& reference) = 0;
  // The manifests of the repository whose subject is `subject`, in byte order of their digests,
  // known or not; only those of `artifact_type` unless it is empty. A page holds at most page.limit
  // of them and about kMaxManifestBytes, and may be short before the last. An unknown repository
  // has none.
  virtual Awaitable<Result<ReferrersPage>> ListReferrers(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& subject,
                                                         const std::string& artifact_type,
                                                         const PageRequest& page) = 0;

  // kBlobUnknown where the digest is not linked in this repository. Never starts a transfer.
  virtual Awaitable<Result<BlobInfo>> StatBlob(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Digest& digest) = 0;
  // The same; returns once the size is known and the first bytes can be had.
  virtual Awaitable<Result<std::unique_ptr<BlobBody>>> OpenBlob(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const Digest& digest) = 0;

  // Takes the blob out of this repository; others keep it. kBlobUnknown; kUnsupported while a
  // manifest of the repository refers to it. Durable.
  virtual Awaitable<Result<Deleted>> DeleteBlob(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) = 0;
  // Makes a blob of `from`, or without it of any repository, visible in `repository`. Only what
  // `visible` accepts is a source: else, and where there is none, kBlobUnknown. Durable.
  virtual Awaitable<Result<PushedBlob>> MountBlob(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const Digest& digest,
                                                  const std::optional<RepositoryName>& from,
                                                  const Visible& visible) = 0;

  // Upload sessions belong to the repository and the user that began them: kBlobUploadUnknown for
  // others. One request at a time works on a session; a second one gets kTooManyRequests.
  // `algorithm` is a hint of how the blob will be named at the end.
  virtual Awaitable<Result<UploadStatus>> StartUpload(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      DigestAlgorithm algorithm) = 0;
  virtual Awaitable<Result<UploadStatus>> StatUpload(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id) = 0;
  // Appends the body. `range`: what the client says the body is; kRangeInvalid if it does not begin
  // where the session ends, kSizeInvalid if the body is not that long. What arrived before an error
  // of the body stays.
  virtual Awaitable<Result<UploadStatus>> AppendUpload(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const std::string& id,
                                                       std::optional<ByteRange> range,
                                                       ByteSource& body) = 0;
  // Appends the body, then commits the whole as `digest`. kDigestInvalid, and the session is gone,
  // if it hashes otherwise. Durable.
  virtual Awaitable<Result<PushedBlob>> FinishUpload(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id,
                                                     std::optional<ByteRange> range,
                                                     const Digest& digest, ByteSource& body) = 0;
  virtual Awaitable<Result<void>> CancelUpload(const Caller& caller,
                                               const RepositoryName& repository,
                                               const std::string& id) = 0;

  virtual Awaitable<Result<Page>> ListTags(const Caller& caller, const RepositoryName& repository,
                                           const PageRequest& page) = 0;
  // Only repositories that `visible` accepts.
  virtual Awaitable<Result<Page>> ListRepositories(const Caller& caller, const PageRequest& page,
                                                   const Visible& visible) = 0;
};

}  // namespace outport
