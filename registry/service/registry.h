#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "registry/base/awaitable.h"
#include "registry/base/bytes.h"
#include "registry/base/holder.h"
#include "registry/base/result.h"
#include "registry/base/secret.h"
#include "registry/oci/byte_range.h"
#include "registry/oci/digest.h"
#include "registry/oci/manifest.h"
#include "registry/oci/name.h"
#include "registry/oci/referrer.h"
#include "registry/service/visible.h"

namespace outport {

// The admitted sender of a request. The logs and the audit log show the caller. A node sends the
// caller to the store with each relayed write.
struct Caller {
  std::string user;
  // The password, which a node sends to the store with a relayed write. It is never logged. It is
  // null if the caller sent no password. Shared with the session.
  std::shared_ptr<const Secret> password = nullptr;
  std::string certificate_name;  // the name in the client certificate
  std::string address;
  std::string node = {};  // at the store: the node that relayed the request
  // In whose name the request uses memory, slots and threads (HolderOf() in registry/access). A
  // node does not send it: the store derives it from the user that it has verified.
  Holder holder = {};
  std::string request_id;  // the node and the store use the same id
  // Read-your-writes: the answer must include the change with this sequence (Outport-Min-Sequence).
  // If the answer cannot include this change, the call returns kUnavailable.
  uint64_t min_sequence = 0;
  // The caller may push to the request's repository. If it is set, StatBlob() and StatManifest()
  // renew the lease of the content that they find. A GET does not set it: only a HEAD asks what a
  // push that follows may leave out.
  bool may_push = false;
  // Re-authorises the caller (Admission::Recheck()). An operation that waits for other requests
  // calls it on the caller's strand after the wait, and returns its error. Does not block. Usable
  // until the operation returns.
  std::function<Result<void>()> recheck = [] { return Result<void>(); };
};

// The upper bound of a stale answer's age. An answer without a Staleness comes from the store or is
// proven fresh.
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
  uint64_t sequence = 0;          // sequence of the change, for Outport-Sequence
};

struct Deleted {
  uint64_t sequence = 0;  // sequence of the change
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
  // Reads at least one byte and at most `at_most` bytes from `offset`. The blob's checksums have
  // verified these bytes. The span is valid until the next call. After an error, the caller must
  // truncate the response, and never complete it. REQUIRES: `offset` is before the end.
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

// A request for at most `limit` items (1 to kMaxPage) that follow `last` in byte order.
struct PageRequest {
  std::string last;
  size_t limit = 0;
};
inline constexpr size_t kMaxPage = 1000;

struct Page {
  std::vector<std::string> items;
  bool more = false;  // more items exist after this page
  std::optional<Staleness> stale = std::nullopt;
};

struct ReferrersPage {
  std::vector<ReferrerInfo> items;
  std::string next;  // PageRequest::last of the next page; empty if there is none
  std::optional<Staleness> stale = std::nullopt;
};

// The operations of a registry, independent of the transport. The store performs them on its
// storage. A node performs them with its replica and the store. Safe for all threads. Nothing here
// blocks. The arguments that are passed by reference outlive the awaited call.
//
// Every operation may return these errors: kNameUnknown if the repository does not exist,
// kUnavailable (with Retry-After) if a node cannot know the answer, kNoSpace, kTooManyRequests,
// kInternal.
//
// A durable change survives a power cut from the moment when the call returns.
class Registry {
 public:
  virtual ~Registry() = default;

  // Manifests.

  // Returns the exact bytes that were pushed. kManifestUnknown if the repository has no such
  // manifest.
  virtual Awaitable<Result<StoredManifest>> GetManifest(const Caller& caller,
                                                        const RepositoryName& repository,
                                                        const Reference& reference) = 0;
  // If `caller.may_push`, the garbage collector keeps the manifest for some time after the answer.
  virtual Awaitable<Result<ManifestInfo>> StatManifest(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const Reference& reference) = 0;
  // Stores the exact bytes and sets tags, in one durable change. It sets all of `tags`, and
  // also `reference` if that is a tag. kManifestInvalid if the body is not a valid manifest;
  // kManifestBlobUnknown with the missing digests as items; kDigestInvalid if `reference` is the
  // digest of other bytes.
  virtual Awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body) = 0;
  // Deletes only the tag if `reference` is a tag. Deletes the manifest and all of its tags if
  // `reference` is a digest. Durable. kManifestUnknown if there is nothing to delete.
  virtual Awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Reference& reference) = 0;
  // Lists the manifests with this subject, in byte order of their digests. If `artifact_type` is
  // not empty, lists only manifests of this type. The subject itself need not exist. A page has at
  // most page.limit items and about kMaxManifestBytes; it may have fewer items although more pages
  // follow. The list of an unknown repository is empty.
  virtual Awaitable<Result<ReferrersPage>> ListReferrers(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& subject,
                                                         const std::string& artifact_type,
                                                         const PageRequest& page) = 0;

  // Blobs.

  // Returns the blob's size. kBlobUnknown if the repository has no link to the blob. Never starts a
  // fetch. If `caller.may_push`, the garbage collector keeps the blob for some time after the
  // answer.
  virtual Awaitable<Result<BlobInfo>> StatBlob(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Digest& digest) = 0;
  // Opens a blob. Returns when the blob's size is known and its first bytes can be read.
  // kBlobUnknown if the repository has no link to the blob.
  virtual Awaitable<Result<std::unique_ptr<BlobBody>>> OpenBlob(const Caller& caller,
                                                                const RepositoryName& repository,
                                                                const Digest& digest) = 0;

  // Removes the blob from this repository. Other repositories keep the blob. Durable. kBlobUnknown
  // if the repository has no link to the blob; kUnsupported while a manifest of the repository
  // refers to the blob.
  virtual Awaitable<Result<Deleted>> DeleteBlob(const Caller& caller,
                                                const RepositoryName& repository,
                                                const Digest& digest) = 0;
  // Links a blob in `repository`. The blob comes from the repository `from`, or from any repository
  // if `from` is nullopt. Durable. kBlobUnknown if no repository that `visible` accepts has the
  // blob.
  virtual Awaitable<Result<PushedBlob>> MountBlob(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const Digest& digest,
                                                  const std::optional<RepositoryName>& from,
                                                  const Visible& visible) = 0;

  // Upload sessions. A session belongs to one repository and to the user that started it. For
  // another repository or user, calls return kBlobUploadUnknown. One call at a time appends to a
  // session. Another call waits some seconds, or takes over a session whose client has stopped
  // sending, and returns kTooManyRequests if neither succeeds. StatUpload() does not wait.

  // `algorithm` is the expected algorithm of the blob's digest. FinishUpload() accepts other
  // algorithms too.
  virtual Awaitable<Result<UploadStatus>> StartUpload(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      DigestAlgorithm algorithm) = 0;
  virtual Awaitable<Result<UploadStatus>> StatUpload(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const std::string& id) = 0;
  // Appends the body. `range` is the range of the blob that the body covers, according to the
  // client. kRangeInvalid if `range` does not begin at the end of the received bytes; kSizeInvalid
  // if the lengths of body and `range` differ. If reading the body fails, the session keeps the
  // bytes that arrived before the error.
  virtual Awaitable<Result<UploadStatus>> AppendUpload(const Caller& caller,
                                                       const RepositoryName& repository,
                                                       const std::string& id,
                                                       std::optional<ByteRange> range,
                                                       ByteSource& body) = 0;
  // Appends the body, then commits the session as the blob `digest`. Durable. If the bytes have
  // another digest, discards the session and returns kDigestInvalid.
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
