#pragma once

#include <functional>
#include <memory>
#include <string>

#include "node/blobs/links.h"
#include "node/mirror_registry.h"
#include "node/upstream/store_channel.h"

namespace outport::node {

// The parts of a node's Registry over one replica and one store, put together. What it is given
// outlives it; `tasks` is drained before it goes.
class Mirror {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    std::vector<std::shared_ptr<StoreChannel>> blob_channels;
    MetaStore& meta;
    BlobStore& blobs;
    uint64_t headroom_bytes = 0;  // of the disk, kept free of copies
    Replica& replica;
    const Freshness& freshness;
    BlockingPool& pool;
    TaskGroup& tasks;
    const Clock& clock;
    Metrics& metrics;
    Log log;
    std::string store_name;  // for refusals
    bool read_only = false;  // no writes are relayed
    std::function<bool()> store_is_connected;
  };
  explicit Mirror(Parts parts);

  // Before the first request. Blocks.
  Result<void> Recover();
  // Blocks; the executor of the requests runs still.
  void Stop() { blobs_.Stop(); }

  Registry& registry() { return registry_; }

 private:
  RelayedWrites::Parts WritesParts(const Parts& parts);

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
  const std::unique_ptr<RelayedWrites> writes_;  // none at a read-only node
  MirrorRegistry registry_;
};

}  // namespace outport::node
