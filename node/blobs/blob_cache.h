#pragma once

#include <boost/asio/awaitable.hpp>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

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
  size_t fetch_threads = 8;  // fetches that run at once, each on a stream of its own
  size_t fetch_queue = 256;
  size_t sync_queue = 1024;
  size_t passing_bodies = 64;  // streams for one reader alone
  uint64_t far_ahead_bytes = 16 << 20;
  uint64_t headroom_bytes = 0;  // of the disk: what would leave less is passed through
  std::chrono::milliseconds verify_deadline{120000};
  FetchLimits fetch = {};
  PassingLimits passing = {};
};

// The blobs of a node: cached copies, and fetches of those that are not here, one for each however
// many readers wait. Callable from any strand. What is passed by reference outlives it, and it
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

  // At start, before the first request: discards what an earlier process left unfinished. Blocks.
  Result<void> Recover() { return cached_.Recover(); }
  // Gives up the fetches, finishes syncs that wait, joins the threads. Blocks; REQUIRES: the
  // context of the requests runs still.
  void Stop();

  // The size, from the link. Never starts a fetch.
  net::awaitable<Result<BlobInfo>> Stat(const Caller& caller, const RepositoryName& repository,
                                        const Digest& digest);
  // The blob, if the repository links it: the cached copy, or the running fetch, or a new one.
  // Returns when the size is confirmed and the first bytes are here.
  net::awaitable<Result<std::unique_ptr<BlobBody>>> Open(const Caller& caller,
                                                         const RepositoryName& repository,
                                                         const Digest& digest);
  // Whether a whole copy is here. Looks at its row only; blocks as MetaStore::Get does.
  Result<bool> IsCached(const Digest& digest) const { return cached_.Contains(digest); }

 private:
  using Opened = Result<std::unique_ptr<BlobBody>>;

  net::awaitable<Opened> OpenFetch(std::unique_ptr<FetchHold> fetch);
  // True once the copy may be served; false: look again, it was another's to verify, or is gone.
  net::awaitable<Result<bool>> Trust(Digest digest, CachedCopy copy);

  // Until another's verification of the copy has ended: false, look again.
  net::awaitable<Result<bool>> WaitVerified(Digest digest);

  std::unique_ptr<FetchHold> JoinRunning(const Digest& digest);
  void EndVerifying(const Digest& digest);
  // Joins or begins a fetch; nullptr if one ended since `seen`, and its copy may be here.
  Result<std::unique_ptr<FetchHold>> JoinOrBegin(const BlobRequest& request,
                                                 std::optional<uint64_t> seen);
  uint64_t FetchesEnded();
  void Run(const std::shared_ptr<BlobFetch>& fetch);

  const Parts parts_;
  CachedBlobs cached_;
  BodyContext bodies_;
  Notifier verified_;  // a verification ended

  Mutex mutex_;
  // Shared with their threads and readers. No more than the pool takes.
  std::map<Digest, std::shared_ptr<BlobFetch>> fetches_ OUTPORT_GUARDED_BY(mutex_);
  uint64_t fetches_ended_ OUTPORT_GUARDED_BY(mutex_) = 0;
  std::set<Digest> verifying_ OUTPORT_GUARDED_BY(mutex_);

  BlockingPool sync_pool_;
  BlockingPool fetch_pool_;  // last: its threads use all of the above
};

}  // namespace outport::node
