#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node/blobs/links.h"
#include "node/mirror_registry.h"
#include "node/upstream/store_channel.h"

namespace outport::node {

// Builds a node's Registry over one replica and one store, and owns its parts. The referenced
// objects outlive the Mirror. REQUIRES: `tasks` is drained before the Mirror is destroyed.
class Mirror {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    std::vector<std::shared_ptr<StoreChannel>> blob_channels;
    MetaStore& meta;
    BlobStore& blobs;
    uint64_t headroom_bytes = 0;  // with less free disk space, the node caches no blob
    Replica& replica;
    PullRecorder& pulls;
    const Freshness& freshness;
    BlockingPool& pool;
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string store_name;  // for the error of a rejected write
    bool read_only = false;  // the node rejects writes instead of relaying them
    std::function<bool()> store_is_connected;
  };
  explicit Mirror(Parts parts);

  // Loads the high-water mark and discards unfinished copies of blobs, both of an earlier process.
  // Blocks. REQUIRES: called before the first request.
  Result<void> Recover();
  // As in Resolver.
  void BeginEpoch(const std::string& epoch) { resolver_.BeginEpoch(epoch); }
  // As in BlobCache. DropUnlinked() runs on the pool.
  void DropTombstoned(std::vector<Digest> digests) { blobs_.DropTombstoned(std::move(digests)); }
  net::awaitable<Result<void>> DropUnlinked(std::vector<CopyName> copies);
  // Ends the fetches in progress. Blocks. REQUIRES: the executor of the requests still runs.
  void Stop() { blobs_.Stop(); }

  Registry& registry() { return registry_; }

 private:
  RelayedWrites::Parts WritesParts(const Parts& parts);

  BlockingPool& pool_;
  StalenessRule staleness_rule_;
  ReplicaRows rows_;
  Resolver resolver_;
  Links links_;
  FetchMetrics fetch_metrics_;
  BlobSource source_;
  BlobCache blobs_;
  ManifestContents contents_;
  Completeness completeness_;
  ManifestLocator locator_;
  MirrorManifests manifests_;
  MirrorCatalog catalog_;
  const std::unique_ptr<RelayedWrites> writes_;  // nullptr at a read-only node
  MirrorRegistry registry_;
};

}  // namespace outport::node
