#include "node/mirror.h"

namespace outport::node {

Mirror::Mirror(Parts parts)
    : pool_(parts.pool),
      staleness_rule_(parts.replica, parts.freshness, parts.metrics),
      rows_(parts.meta),
      resolver_({.channel = parts.channel,
                 .replica = parts.replica,
                 .rows = rows_,
                 .meta = parts.meta,
                 .pool = parts.pool,
                 .tasks = parts.tasks,
                 .clock = parts.clock,
                 .metrics = parts.metrics,
                 .log = parts.log}),
      links_({.replica = parts.replica,
              .rule = staleness_rule_,
              .resolver = resolver_,
              .clock = parts.clock,
              .store_is_connected = parts.store_is_connected}),
      fetch_metrics_(parts.metrics),
      source_(parts.blob_channels, fetch_metrics_),
      blobs_({.links = links_,
              .source = source_,
              .meta = parts.meta,
              .blobs = parts.blobs,
              .disk = parts.pool,
              .metrics = fetch_metrics_,
              .log = parts.log,
              .limits = {.headroom_bytes = parts.headroom_bytes}}),
      contents_({.channel = parts.channel,
                 .meta = parts.meta,
                 .blobs = parts.blobs,
                 .headroom_bytes = parts.headroom_bytes,
                 .pool = parts.pool,
                 .tasks = parts.tasks,
                 .metrics = parts.metrics,
                 .log = parts.log}),
      completeness_(rows_, contents_,
                    [this](const Digest& digest) { return blobs_.IsCached(digest); }),
      locator_({.replica = parts.replica,
                .rule = staleness_rule_,
                .resolver = resolver_,
                .clock = parts.clock,
                .store_is_connected = parts.store_is_connected}),
      manifests_({.locator = locator_,
                  .contents = contents_,
                  .completeness = completeness_,
                  .pool = parts.pool}),
      catalog_({.replica = parts.replica,
                .rows = rows_,
                .rule = staleness_rule_,
                .resolver = resolver_,
                .pool = parts.pool}),
      writes_(parts.read_only ? nullptr : std::make_unique<RelayedWrites>(WritesParts(parts))),
      registry_({.manifests = manifests_,
                 .catalog = catalog_,
                 .blobs = blobs_,
                 .pulls = parts.pulls,
                 .writes = writes_.get(),
                 .store_address = parts.store_name}) {}

RelayedWrites::Parts Mirror::WritesParts(const Parts& parts) {
  return {.channel = parts.channel,
          .body_channels = parts.blob_channels,
          .replica = parts.replica,
          .resolver = resolver_,
          .pool = parts.pool,
          .clock = parts.clock,
          .metrics = parts.metrics,
          .store_is_connected = parts.store_is_connected};
}

net::awaitable<Result<void>> Mirror::DropUnlinked(std::vector<CopyName> copies) {
  auto drop = [this, copies = std::move(copies)]() mutable {
    return blobs_.DropUnlinked(std::move(copies));
  };
  co_return co_await Blocking(pool_, std::move(drop));
}

Result<void> Mirror::Recover() {
  TRY_VOID(resolver_.Recover());
  return blobs_.Recover();
}

}  // namespace outport::node
