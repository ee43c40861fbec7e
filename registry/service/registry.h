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

// The admitted sender of a request, for logs, for the audit log, and for the store if a node
// relays.
struct Caller {
  std::string user;
  // For writes that a node relays to the store; never logged. Null: the caller sent none. Shared
  // with the session.
  std::shared_ptr<const Secret> password = nullptr;
  std::string certificate;  // the name in the client certificate
  std::string address;
  std::string node = {};   // at the store: the node that relayed the request
  std::string request_id;  // the same at node and store
  // Read-your-writes: the answer must include the change with this sequence (Outport-Min-Sequence).
  // kUnavailable if that is not possible.
  uint64_t min_sequence = 0;
};

// The upper bound of a stale answer's age. Absent: the answer is the store's own, or proven fresh.
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
  std::optional<Digest> subject;  // for OCI-Subject
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
  // Reads from `offset`: at least one byte and at most `at_most`, all verified by checksum. The
  // span is valid until the next call. After an error the response must be truncated, never
  // completed. REQUIRES: `offset` is before the end.
  virtual Awaitable<Result<Bytes>> Read(uint64_t offset, uint64_t at_most) = 0;
};

// The body of a request, read as it arrives. For one coroutine at a time.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // The length of the body; nullopt if the client did not announce it.
  virtual std::optional<uint64_t> length() const = 0;
  // Reads at least one byte into `buffer`; returns 0 at the end. An error (closed connection,
  // malformed chunk, deadline) ends the body.
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
  bool more = false;  // there are items after the last one
  std::optional<Staleness> stale = std::nullopt;
};

struct ReferrersPage {
  std::vector<ReferrerInfo> items;
  std::string next;  // PageRequest::last of the next page; empty: this page is the last one
  std::optional<Staleness> stale = std::nullopt;
};

// The verbs of a registry, without transport. The store answers them from its storage; a node
// answers them from its replica and from the store. Safe for all threads; nothing here blocks.
// References outlive the awaited call.
//
// Errors of all verbs: kNameUnknown if the repository does not exist, kUnavailable (with
// Retry-After) if a node cannot know the answer, kNoSpace, kTooManyRequests, kInternal.
//
// A durable change survives a power cut from the moment when the call returns.
class Registry {
 public:
  virtual ~Registry() = default;

  // Manifests.

  // Returns the exact bytes that were pushed. kManifestUnknown.
  virtual Awaitable<Result<StoredManifest>> GetManifest(const Caller& caller,
                                                        const RepositoryName& repository,
                                                        const Reference& reference) = 0;
  virtual Awaitable<Result<ManifestInfo>> StatManifest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Reference& reference) = 0;
  // Stores the exact bytes and sets all tags in one durable change: `tags`, and `reference` if it
  // is a tag. kManifestInvalid; kManifestBlobUnknown with the missing digests as items;
  // kDigestInvalid if `reference` is the digest of other bytes.
  virtual Awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body) = 0;
  // Deletes a tag only, or by digest the manifest and all of its tags. Durable. kManifestUnknown.
  virtual Awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Reference& reference) = 0;
  // Lists the manifests with this subject in byte order of their digests; only those of
  // `artifact_type` unless it is empty. The subject itself need not exist. A page has at most
  // page.limit items and about kMaxManifestBytes; it may have fewer although more pages follow. An
  // unknown repository has no referrers.
  virtual Awaitable<Result<ReferrersPage>> ListReferrers(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& subject,
                                                         const std::string& artifact_type,
                                                         const PageRequest& page) = 0;

  // Blobs.

  // kBlobUnknown if the repository has no link to the blob. Never starts a fetch.
  virtual Awaitable<Result<BlobInfo>> StatBlob(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Digest& digest) = 0;
  // Opens a blob. Returns when its size is known and its first bytes can be read. kBlobUnknown.
  virtual Awaitable<Result<std::unique_ptr<BlobBody>>> OpenBlob(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const Digest& digest) = 0;

  // Removes the blob from this repository; other repositories keep it. Durable. kBlobUnknown;
  // kUnsupported while a manifest of the repository refers to the blob.
  virtual Awaitable<Result<Deleted>> DeleteBlob(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) = 0;
  // Links a blob in `repository`. Its source is `from`, or any repository without `from`. Durable.
  // kBlobUnknown if no repository that `visible` accepts has the blob.
  virtual Awaitable<Result<PushedBlob>> MountBlob(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const Digest& digest,
                                                  const std::optional<RepositoryName>& from,
                                                  const Visible& visible) = 0;

  // Upload sessions. A session belongs to the repository and the user that started it: for other
  // ones it is kBlobUploadUnknown. A second request on a session in use gets kTooManyRequests.

  // `algorithm`: the expected algorithm of the blob's digest; another one is possible.
  virtual Awaitable<Result<UploadStatus>> StartUpload(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      DigestAlgorithm algorithm) = 0;
  virtual Awaitable<Result<UploadStatus>> StatUpload(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id) = 0;
  // Appends the body. `range`: the client's claim where the body goes. kRangeInvalid if the range
  // does not begin at the session's end; kSizeInvalid if the body has another length. After an
  // error of the body, the bytes that arrived before it stay in the session.
  virtual Awaitable<Result<UploadStatus>> AppendUpload(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const std::string& id,
                                                       std::optional<ByteRange> range,
                                                       ByteSource& body) = 0;
  // Appends the body, then commits the session as the blob `digest`. Durable. kDigestInvalid, and
  // the session is discarded, if the bytes have another digest.
  virtual Awaitable<Result<PushedBlob>> FinishUpload(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id,
                                                     std::optional<ByteRange> range,
                                                     const Digest& digest, ByteSource& body) = 0;
  virtual Awaitable<Result<void>> CancelUpload(const Caller& caller,
                                               const RepositoryName& repository,
                                               const std::string& id) = 0;

  // Lists.

  virtual Awaitable<Result<Page>> ListTags(const Caller& caller, const RepositoryName& repository,
                                           const PageRequest& page) = 0;
  // Lists only repositories that `visible` accepts.
  virtual Awaitable<Result<Page>> ListRepositories(const Caller& caller, const PageRequest& page,
                                                   const Visible& visible) = 0;
};

}  // namespace outport
