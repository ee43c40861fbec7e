#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "node/blobs/blob_bodies.h"
#include "node/blobs/blob_fetch.h"
#include "node/blobs/blob_links.h"
#include "node/blobs/blob_source.h"
#include "node/blobs/cached_blobs.h"
#include "node/blobs/fetch_metrics.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/log.h"
#include "registry/base/mutex.h"
#include "registry/base/notifier.h"
#include "registry/service/registry.h"

namespace outport::node {

struct CacheLimits {
  size_t fetch_threads = 8;  // the most fetches that run at once, each with its own stream
  size_t fetch_queue = 256;
  size_t sync_queue = 1024;
  size_t passing_bodies = 64;  // the most bodies that pass through at once
  uint64_t far_ahead_bytes = 16 << 20;
  uint64_t headroom_bytes = 0;  // do not keep a copy that would leave less disk space free
  std::chrono::milliseconds verify_deadline{120000};
  FetchLimits fetch = {};
  PassingLimits passing = {};
};

// The blobs of a node. Serves cached copies, and fetches blobs that are not cached. All readers of
// a blob share one fetch. Callable from any strand. The parts outlive the cache, and the cache
// outlives the bodies that it opened.
class BlobCache {
 public:
  struct Parts {
    BlobLinks& links;
    BlobSource& source;
    MetaStore& meta;
    BlobStore& blobs;
    BlockingPool& disk;
    const FetchMetrics& metrics;
    Log log;
    CacheLimits limits = {};
    std::string boot_id = BootId();
  };
  explicit BlobCache(Parts parts);
  ~BlobCache();

  // Discards the unfinished copies of an earlier process. Call it at start. Blocks.
  Result<void> Recover() { return cached_.Recover(); }
  // Cancels the fetches, runs the queued syncs, and joins the threads. Blocks. REQUIRES: the
  // io_context of the requests is still running.
  void Stop();

  // Returns the size of the blob, which the link contains. Starts no fetch.
  net::awaitable<Result<BlobInfo>> Stat(const Caller& caller, const RepositoryName& repository,
                                        const Digest& digest);
  // As above, for a client that may push: see BlobLinks::Confirm().
  net::awaitable<Result<BlobInfo>> Confirm(const Caller& caller, const RepositoryName& repository,
                                           const Digest& digest) {
    return parts_.links.Confirm(caller, repository, digest);
  }
  // Opens the blob, if the repository links it. Uses the cached copy, or else joins a fetch in
  // progress, or else begins a fetch. Returns when the size is confirmed and the first bytes can be
  // read.
  net::awaitable<Result<std::unique_ptr<BlobBody>>> Open(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& digest);
  // Drops the copies of blobs that the store has removed. A fetch in progress serves its readers to
  // the end, but leaves no copy. Does not block: the removal runs in the background. Copies that it
  // cannot drop go with the next round of DropUnlinked().
  void DropTombstoned(std::vector<Digest> digests);
  // Drops copies that no repository links (Replica::FindUnlinked). Blocks.
  Result<void> DropUnlinked(std::vector<CopyName> copies);
  // Returns whether the node has a complete copy of the blob. Reads only the copy's row. May block,
  // as MetaStore::Get does.
  Result<bool> IsCached(const Digest& digest) const { return cached_.Contains(digest); }

 private:
  using Opened = Result<std::unique_ptr<BlobBody>>;

  // Opens a body of a blob that the repository links. See CachedBody for `read_bytes`.
  net::awaitable<Opened> OpenBody(BlobRequest request, uint64_t read_bytes);
  net::awaitable<Opened> OpenFetch(std::unique_ptr<FetchHold> fetch, uint64_t read_bytes);
  // Verifies the copy. Returns true if the node may serve the copy. Returns false if the caller
  // must look the copy up again: another request has verified it, or it was corrupt and is now in
  // quarantine.
  net::awaitable<Result<bool>> VerifyCopy(Digest digest, CachedCopy copy);
  // Waits until another request has verified the copy. Always returns false: the caller must look
  // the copy up again.
  net::awaitable<Result<bool>> WaitVerified(Digest digest);
  std::unique_ptr<FetchHold> JoinRunning(const Digest& digest);
  void EndVerifying(const Digest& digest);
  // Joins a fetch in progress, or begins a fetch. `seen` is a result of FetchesEnded(). Returns
  // nullptr if a fetch has ended since then: look for a copy again, because that fetch may have
  // left one.
  Result<std::unique_ptr<FetchHold>> JoinOrBegin(const BlobRequest& request,
                                                 std::optional<uint64_t> seen);
  // Drops copies in steps, counts and logs them.
  Result<void> Drop(std::vector<CopyName> copies, const char* reason, prometheus::Counter& counter);
  uint64_t FetchesEnded();
  void Run(const std::shared_ptr<BlobFetch>& fetch);

  const Parts parts_;
  CachedBlobs cached_;
  BodyContext bodies_;
  Notifier verified_;  // notified when the verification of any copy ends

  Mutex mutex_;
  // The fetches in progress. A fetch's thread and readers share it. The pool bounds the number of
  // fetches.
  std::map<Digest, std::shared_ptr<BlobFetch>> fetches_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t fetches_ended_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::set<Digest> verifying_ OUTPORT_GUARDED_BY(mutex_);

  BlockingPool sync_pool_;
  BlockingPool fetch_pool_;  // declared last: its threads use all members above
};

}  // namespace outport::node
