#include "node/mirror.h"

namespace outport::node {

Mirror::Mirror(Parts parts)
    : age_(parts.replica, parts.freshness, parts.metrics),
      rows_(parts.meta),
      resolver_({parts.channel, parts.replica, rows_, parts.meta, parts.pool, parts.tasks,
                 parts.clock, parts.metrics, parts.log}),
      links_(resolver_),
      fetch_metrics_(parts.metrics),
      source_(parts.blob_channels, fetch_metrics_),
      blobs_(links_, source_, parts.meta, parts.blobs, parts.pool, fetch_metrics_, parts.log),
      contents_({parts.channel, parts.meta, parts.pool, parts.tasks, parts.metrics, parts.log}),
      completeness_(rows_, contents_,
                    [this](const Digest& digest) { return blobs_.IsCached(digest); }),
      locator_({age_, resolver_, parts.clock, parts.store_is_connected}),
      manifests_({locator_, contents_, completeness_, parts.pool}),
      catalog_({parts.replica, rows_, age_, resolver_, parts.pool}),
      registry_({manifests_, catalog_, blobs_, parts.store_name}) {}

Result<void> Mirror::Recover() {
  TRY_VOID(resolver_.Recover());
  return blobs_.Recover();
}

}  // namespace outport::node
