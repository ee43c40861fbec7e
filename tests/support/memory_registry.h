#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/service/registry.h"

namespace outport::testing_support {

// A Registry in memory, with the rules of all verbs and without a disk. For tests of code that uses
// a Registry. Safe for all threads. Make the settings before the requests that they affect.
class MemoryRegistry final : public Registry {
 public:
  // Settings of a test.

  Digest AddBlob(const std::string& repository, std::string content);
  Digest AddManifest(const std::string& repository, const std::string& reference,
                     const std::string& media_type, std::string body);
  // Makes the next verb return this error.
  void FailNext(Error error);
  // Calls a function in each PutManifest(), before it changes anything.
  void BeforePut(std::function<void(const Caller&)> call) { before_put_ = std::move(call); }
  // Makes answers stale, as those of a replica.
  void SetStaleness(std::optional<Staleness> stale);
  // Makes reads of blobs fail from this offset on.
  void BreakBlobsAt(uint64_t offset) { broken_from_ = offset; }
  // Makes reads of blobs wait until ReleaseBlobs(). BlobReads() counts the reads, waiting ones too.
  void HoldBlobs();
  void ReleaseBlobs();
  uint64_t BlobReads() const { return blob_reads_; }
  // The calls of GetManifest(): the store and the nodes record each as a pull.
  uint64_t ManifestReads() const { return manifest_reads_; }
  size_t OpenUploads() const;
  std::optional<Caller> LastCaller() const;

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
  using Content = std::shared_ptr<const std::string>;  // shared with readers
  struct Repository {
    std::map<std::string, Digest> tags;
    std::map<Digest, StoredManifest> manifests;
    std::map<Digest, Content> blobs;
    std::map<Digest, std::map<Digest, ReferrerInfo>> referrers;  // by subject
  };
  struct Upload {
    std::string repository;
    std::string user;
    std::string content;
    bool busy = false;
  };
  class Reader;

  Result<void> BeginVerb(const Caller& caller) OUTPORT_REQUIRES_LOCK(mutex_);
  Result<StoredManifest> FindManifest(const Caller& caller, const RepositoryName& repository,
                                      const Reference& reference);
  Result<Content> FindBlob(const Caller& caller, const RepositoryName& repository,
                           const Digest& digest);
  Result<Upload*> FindUpload(const Caller& caller, const RepositoryName& repository,
                             const std::string& id) OUTPORT_REQUIRES_LOCK(mutex_);
  Result<void> CheckReferences(const Repository& repository, const Manifest& manifest) const;
  net::awaitable<Result<void>> Receive(const Caller& caller, const RepositoryName& repository,
                                       const std::string& id, std::optional<ByteRange> range,
                                       ByteSource& body);

  mutable Mutex mutex_;
  std::map<std::string, Repository> repositories_ OUTPORT_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t sequence_ OUTPORT_GUARDED_BY(mutex_) = 0;
  uint64_t next_upload_ OUTPORT_GUARDED_BY(mutex_) = 1;
  std::optional<Error> next_failure_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Staleness> stale_ OUTPORT_GUARDED_BY(mutex_);
  std::optional<Caller> last_caller_ OUTPORT_GUARDED_BY(mutex_);
  std::function<void(const Caller&)> before_put_;
  std::atomic<uint64_t> broken_from_ = UINT64_MAX;
  std::atomic<bool> held_ = false;
  std::atomic<uint64_t> blob_reads_ = 0;
  std::atomic<uint64_t> manifest_reads_ = 0;
  Notifier released_;
};

}  // namespace outport::testing_support
