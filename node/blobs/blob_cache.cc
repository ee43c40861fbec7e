#include "node/blobs/blob_cache.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace outport::node {

using std::chrono::steady_clock;

BlobCache::BlobCache(Parts parts)
    : parts_(std::move(parts)),
      cached_({.meta = parts_.meta,
               .blobs = parts_.blobs,
               .headroom_bytes = parts_.limits.headroom_bytes,
               .boot_id = parts_.boot_id,
               .log = parts_.log}),
      bodies_{.source = parts_.source,
              .cached = cached_,
              .disk = parts_.disk,
              .metrics = parts_.metrics,
              .passing = parts_.limits.passing,
              .far_ahead_bytes = parts_.limits.far_ahead_bytes,
              .passing_slots = Slots(parts_.limits.passing_bodies)},
      sync_pool_("blobsync", 1, parts_.limits.sync_queue, parts_.log),
      fetch_pool_("fetch", parts_.limits.fetch_threads, parts_.limits.fetch_queue, parts_.log) {}

BlobCache::~BlobCache() { Stop(); }

void BlobCache::Stop() {
  std::vector<std::shared_ptr<BlobFetch>> running;
  {
    MutexLock lock(mutex_);
    for (const auto& [digest, fetch] : fetches_) running.push_back(fetch);
  }
  const Error stopping{ErrorCode::kUnavailable, "this node is stopping; use another node"};
  for (const auto& fetch : running) fetch->Cancel(stopping);
  fetch_pool_.Stop();
  sync_pool_.Stop();
}

net::awaitable<Result<BlobInfo>> BlobCache::Stat(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Digest& digest) {
  co_return co_await parts_.links.Require(caller, repository, digest);
}

net::awaitable<BlobCache::Opened> BlobCache::Open(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const Digest& digest) {
  CO_TRY(const BlobInfo info, co_await parts_.links.Require(caller, repository, digest));
  co_return co_await OpenBody({repository, digest, info.size_bytes, caller.request_id}, 0);
}

net::awaitable<BlobCache::Opened> BlobCache::OpenBody(BlobRequest request, uint64_t read_bytes) {
  const Digest& digest = request.digest;
  constexpr int kLooks = 5;
  for (int look = 0; look < kLooks; ++look) {
    const uint64_t seen = FetchesEnded();
    if (auto running = JoinRunning(digest)) {
      co_return co_await OpenFetch(std::move(running), read_bytes);
    }
    auto find = [this, digest] { return cached_.Find(digest); };
    CO_TRY(std::optional<CachedCopy> copy, co_await Blocking(parts_.disk, find));
    if (copy.has_value()) {
      if (copy->needs_verification) {
        CO_TRY(const bool verified, co_await VerifyCopy(digest, *copy));
        if (!verified) continue;
      }
      parts_.metrics.hits.Increment();
      co_return std::make_unique<CachedBody>(
          bodies_, digest, *std::move(copy), read_bytes,
          [this, request](uint64_t read) { return OpenBody(request, read); });
    }
    CO_TRY(std::unique_ptr<FetchHold> fetch,
           JoinOrBegin(request, look + 1 < kLooks ? std::optional(seen) : std::nullopt));
    if (fetch != nullptr) co_return co_await OpenFetch(std::move(fetch), read_bytes);
  }
  co_return Error{ErrorCode::kUnavailable,
                  "other requests are replacing the copy of blob " + digest.ToString() + "; retry"};
}

net::awaitable<BlobCache::Opened> BlobCache::OpenFetch(std::unique_ptr<FetchHold> fetch,
                                                       uint64_t read_bytes) {
  auto body = std::make_unique<FetchBody>(bodies_, std::move(fetch), read_bytes);
  CO_TRY_VOID(co_await body->Prefetch());
  co_return body;
}

net::awaitable<Result<bool>> BlobCache::VerifyCopy(Digest digest, CachedCopy copy) {
  bool mine = false;
  {
    MutexLock lock(mutex_);
    mine = verifying_.insert(digest).second;
  }
  if (!mine) co_return co_await WaitVerified(digest);
  // The verification runs to its end on the pool, even if this coroutine is destroyed.
  auto verify = [this, digest, copy = std::move(copy)] {
    auto hash = [&] { return cached_.Verify(digest, copy); };
    Result<void> verified = Guarded(hash);
    EndVerifying(digest);
    return verified;
  };
  const Result<void> verified = co_await Blocking(fetch_pool_, verify);
  if (verified.has_value()) co_return true;
  // If the pool rejected `verify`, it never ran, so end the verification here.
  if (verified.error().code == ErrorCode::kTooManyRequests) EndVerifying(digest);
  if (verified.error().code != ErrorCode::kCorrupt) co_return verified.error();
  parts_.metrics.corrupt_copy.Increment();
  co_return false;
}

net::awaitable<Result<bool>> BlobCache::WaitVerified(Digest digest) {
  const auto deadline = steady_clock::now() + parts_.limits.verify_deadline;
  for (;;) {
    // The notifier also wakes this loop for other copies, so check the digest each time.
    const uint64_t seen = verified_.Version();
    {
      MutexLock lock(mutex_);
      if (!verifying_.contains(digest)) co_return false;
    }
    if (!co_await verified_.WaitPast(seen, deadline)) break;
  }
  co_return Error{ErrorCode::kUnavailable, "verifying the copy of " + digest.ToString() +
                                               " after an unclean stop takes too long; retry"};
}

void BlobCache::EndVerifying(const Digest& digest) {
  {
    MutexLock lock(mutex_);
    verifying_.erase(digest);
  }
  verified_.Notify();
}

void BlobCache::DropTombstoned(std::vector<Digest> digests) {
  std::vector<CopyName> copies;
  {
    MutexLock lock(mutex_);
    for (Digest& digest : digests) {
      const auto running = fetches_.find(digest);
      if (running != fetches_.end()) running->second->DiscardCopy();
      copies.push_back({std::move(digest), ""});
    }
  }
  auto drop = [this, copies = std::move(copies)]() mutable {
    const Result<void> dropped =
        Drop(std::move(copies), "tombstone", parts_.metrics.dropped_tombstone);
    if (!dropped.has_value()) {
      parts_.log.Warning("cached blobs not dropped", {{"error", dropped.error().message}});
    }
  };
  if (!sync_pool_.Post(std::move(drop))) {
    parts_.log.Warning("cached blobs not dropped", {{"error", sync_pool_.Rejection().message}});
  }
}

Result<void> BlobCache::DropUnlinked(std::vector<CopyName> copies) {
  return Drop(std::move(copies), "unlinked", parts_.metrics.dropped_unlinked);
}

Result<void> BlobCache::Drop(std::vector<CopyName> copies, const char* reason,
                             prometheus::Counter& counter) {
  for (size_t begin = 0; begin < copies.size(); begin += BlobStore::kMaxRemovals) {
    const size_t size = std::min(BlobStore::kMaxRemovals, copies.size() - begin);
    const auto first = copies.begin() + static_cast<ptrdiff_t>(begin);
    TRY(const CachedBlobs::Dropped dropped,
        cached_.Drop({first, first + static_cast<ptrdiff_t>(size)}));
    if (dropped.count == 0) continue;
    counter.Increment(static_cast<double>(dropped.count));
    parts_.log.Info(
        "cached blobs dropped",
        {{"reason", reason}, {"count", dropped.count}, {"size_bytes", dropped.size_bytes}});
  }
  return {};
}

uint64_t BlobCache::FetchesEnded() {
  MutexLock lock(mutex_);
  return fetches_ended_;
}

std::unique_ptr<FetchHold> BlobCache::JoinRunning(const Digest& digest) {
  MutexLock lock(mutex_);
  const auto found = fetches_.find(digest);
  return found == fetches_.end() ? nullptr : FetchHold::Join(found->second);
}

Result<std::unique_ptr<FetchHold>> BlobCache::JoinOrBegin(const BlobRequest& request,
                                                          std::optional<uint64_t> seen) {
  MutexLock lock(mutex_);
  const auto found = fetches_.find(request.digest);
  if (found != fetches_.end()) {
    if (auto running = FetchHold::Join(found->second)) return running;
  }
  if (seen.has_value() && fetches_ended_ != *seen) return std::unique_ptr<FetchHold>();
  auto fetch = std::make_shared<BlobFetch>(request, parts_.source, cached_, parts_.metrics,
                                           parts_.limits.fetch, parts_.log);
  std::unique_ptr<FetchHold> hold = FetchHold::Join(fetch);
  if (!fetch_pool_.Post([this, fetch] { Run(fetch); })) return fetch_pool_.Rejection();
  parts_.metrics.started.Increment();
  parts_.metrics.running.Increment();
  fetches_.insert_or_assign(request.digest, fetch);
  return hold;
}

void BlobCache::Run(const std::shared_ptr<BlobFetch>& fetch) {
  const Digest& digest = fetch->request().digest;
  const bool fetched = fetch->Run();
  parts_.metrics.running.Decrement();
  {
    MutexLock lock(mutex_);
    ++fetches_ended_;
    const auto found = fetches_.find(digest);
    if (found != fetches_.end() && found->second == fetch) fetches_.erase(found);
  }
  if (!fetched) return;
  auto sync = [this, digest, object = fetch->object()] {
    const Result<void> synced = cached_.MakeDurable(digest, object);
    if (synced.has_value()) return;
    parts_.log.Warning("cached blob sync failed",
                       {{"digest", digest.ToString()}, {"error", synced.error().message}});
  };
  // The pool may reject the sync. Then the node verifies the copy after an unclean stop.
  static_cast<void>(sync_pool_.Post(std::move(sync)));
}

}  // namespace outport::node
