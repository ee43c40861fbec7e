#include "node/mirror.h"

namespace outport::node {

Mirror::Mirror(Parts parts)
    : age_(parts.replica, parts.freshness, parts.metrics),
      rows_(parts.meta),
      resolver_({parts.channel, parts.replica, rows_, parts.meta, parts.pool, parts.tasks,
                 parts.clock, parts.metrics, parts.log}),
      links_(parts.replica, resolver_),
      fetch_metrics_(parts.metrics),
      source_(parts.blob_channels, fetch_metrics_),
      blobs_(links_, source_, parts.meta, parts.blobs, parts.pool, fetch_metrics_, parts.log,
             CacheLimits{.headroom_bytes = parts.headroom_bytes}),
      contents_({parts.channel, parts.meta, parts.blobs, parts.headroom_bytes, parts.pool,
                 parts.tasks, parts.metrics, parts.log}),
      completeness_(rows_, contents_,
                    [this](const Digest& digest) { return blobs_.IsCached(digest); }),
      locator_({parts.replica, age_, resolver_, parts.clock, parts.store_is_connected}),
      manifests_({locator_, contents_, completeness_, parts.pool}),
      catalog_({parts.replica, rows_, age_, resolver_, parts.pool}),
      writes_(parts.read_only ? nullptr : std::make_unique<RelayedWrites>(WritesParts(parts))),
      registry_({manifests_, catalog_, blobs_, writes_.get(), parts.store_name}) {}

RelayedWrites::Parts Mirror::WritesParts(const Parts& parts) {
  return {.channel = parts.channel,
          .body_channels = parts.blob_channels,
          .replica = parts.replica,
          .resolver = resolver_,
          .clock = parts.clock,
          .metrics = parts.metrics,
          .store_is_connected = parts.store_is_connected};
}

Result<void> Mirror::Recover() {
  TRY_VOID(resolver_.Recover());
  return blobs_.Recover();
}

}  // namespace outport::node
