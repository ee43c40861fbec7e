#pragma once

#include <memory>
#include <string>

#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/service/pull_recorder.h"
#include "registry/service/registry.h"
#include "store/change_rate.h"
#include "store/content/intact_blobs.h"
#include "store/content/large_writes.h"
#include "store/content/repository_content.h"
#include "store/uploads/uploads.h"

namespace outport::store {

// Implements Registry for the store: calls Content and Uploads on the disk pool. The store's
// answers are never stale. The referenced objects outlive the registry. Stop the pool before you
// destroy the registry.
class StoreRegistry final : public Registry {
 public:
  struct Parts {
    Content& content;
    Uploads& uploads;
    BlockingPool& disk;
    LargeWrites& large_writes;
    PullRecorder& pulls;
    Metrics& metrics;
    Log log;
    ChangeRate* change_rate = nullptr;  // null: no limit
  };
  explicit StoreRegistry(Parts parts);

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
  // Returns kUnavailable if the caller's Outport-Min-Sequence is greater than the sequence of the
  // log's head.
  Result<void> RequireMinSequence(const Caller& caller) const;
  // Waits until the caller may make this number of changes.
  net::awaitable<Result<void>> AwaitChange(const Caller& caller, size_t changes = 1) const;
  // Counts the repository if it does not exist yet. Blocks.
  Result<void> AdmitRepository(const Caller& caller, const RepositoryName& repository) const;
  // Parses the manifest, and waits for the caller's turn if the manifest is large.
  struct ReadyToPut;
  net::awaitable<Result<ReadyToPut>> PrepareLarge(const Caller& caller, const Reference& reference,
                                                  const std::string& content_type,
                                                  const std::string& body);

  const Parts parts_;
  IntactBlobs intact_blobs_;
  prometheus::Counter& blobs_pushed_;
  prometheus::Counter& manifests_pushed_;
  prometheus::Counter& deleted_;
};

}  // namespace outport::store
