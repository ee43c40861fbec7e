#pragma once

#include "node/blobs/blob_cache.h"
#include "node/manifests/mirror_catalog.h"
#include "node/manifests/mirror_manifests.h"
#include "node/relay/relayed_writes.h"
#include "registry/service/pull_recorder.h"
#include "registry/service/registry.h"

namespace outport::node {

// The Registry of a node. Manifests and lists come from the replica or the store, blobs from the
// cache. It relays writes to the store, or rejects them with kUnsupported at a read-only node.
// Callable from any strand.
class MirrorRegistry final : public Registry {
 public:
  struct Parts {
    MirrorManifests& manifests;
    MirrorCatalog& catalog;
    BlobCache& blobs;
    PullRecorder& pulls;
    RelayedWrites* writes;      // nullptr: the node is read-only
    std::string store_address;  // for the error of a rejected write
  };
  explicit MirrorRegistry(Parts parts) : parts_(std::move(parts)) {}

  net::awaitable<Result<StoredManifest>> GetManifest(const Caller& caller,
                                                     const RepositoryName& repository,
                                                     const Reference& reference) override;
  net::awaitable<Result<ManifestInfo>> StatManifest(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const Reference& reference) override;
  net::awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body) override;
  net::awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Reference& reference) override;
  net::awaitable<Result<ReferrersPage>> ListReferrers(const Caller& caller,
                                                      const RepositoryName& repository,
                                                      const Digest& subject,
                                                      const std::string& artifact_type,
                                                      const PageRequest& page) override;
  net::awaitable<Result<BlobInfo>> StatBlob(const Caller& caller, const RepositoryName& repository,
                                            const Digest& digest) override;
  net::awaitable<Result<std::unique_ptr<BlobBody>>> OpenBlob(const Caller& caller,
                                                             const RepositoryName& repository,
                                                             const Digest& digest) override;
  net::awaitable<Result<Deleted>> DeleteBlob(const Caller& caller, const RepositoryName& repository,
                                             const Digest& digest) override;
  net::awaitable<Result<PushedBlob>> MountBlob(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Digest& digest,
                                               const std::optional<RepositoryName>& from,
                                               const Visible& visible) override;
  net::awaitable<Result<UploadStatus>> StartUpload(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   DigestAlgorithm algorithm) override;
  net::awaitable<Result<UploadStatus>> StatUpload(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const std::string& id) override;
  net::awaitable<Result<UploadStatus>> AppendUpload(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const std::string& id,
                                                    std::optional<ByteRange> range,
                                                    ByteSource& body) override;
  net::awaitable<Result<PushedBlob>> FinishUpload(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const std::string& id,
                                                  std::optional<ByteRange> range,
                                                  const Digest& digest, ByteSource& body) override;
  net::awaitable<Result<void>> CancelUpload(const Caller& caller, const RepositoryName& repository,
                                            const std::string& id) override;
  net::awaitable<Result<Page>> ListTags(const Caller& caller, const RepositoryName& repository,
                                        const PageRequest& page) override;
  net::awaitable<Result<Page>> ListRepositories(const Caller& caller, const PageRequest& page,
                                                const Visible& visible) override;

 private:
  // Returns kUnsupported if this node is read-only.
  Result<void> CheckWritable(const RepositoryName& repository) const;
  // Whether the caller may push through this node.
  bool MayPush(const Caller& caller) const { return caller.may_push && parts_.writes != nullptr; }

  const Parts parts_;
};

}  // namespace outport::node
