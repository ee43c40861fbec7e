#pragma once

#include <memory>
#include <optional>
#include <string>

#include "node/upstream/store_channel.h"
#include "outport/v1/replication.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/log.h"
#include "registry/base/metrics.h"
#include "registry/base/single_flight.h"
#include "registry/oci/name.h"
#include "registry/storage/blob_store.h"
#include "registry/storage/meta_store.h"

namespace outport::node {

// The bytes of manifests: the node's own copies (content/<digest>), and the store's for those that
// are not here, fetched once and kept. Every reading is checked against the digest. Callable from
// any strand.
class ManifestContents {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    MetaStore& meta;
    BlobStore& blobs;             // of the same disk
    uint64_t headroom_bytes = 0;  // of it: below, nothing is kept
    BlockingPool& pool;
    TaskGroup& tasks;
    Metrics& metrics;
    Log log;
  };
  explicit ManifestContents(Parts parts);

  using Content = std::shared_ptr<const std::string>;  // shared by those who waited for it
  // kManifestUnknown if the store has none such (any more), kUnavailable.
  net::awaitable<Result<Content>> Get(const std::string& request_id,
                                      const RepositoryName& repository, const Digest& digest);
  // The node's own copy; a damaged one is dropped and counts as none. Blocks.
  Result<std::optional<std::string>> FindLocal(const Digest& digest);

 private:
  net::awaitable<Result<Content>> Fetch(std::string request_id, RepositoryName repository,
                                        Digest digest);
  Result<void> Keep(const Digest& digest, const std::string& content);

  const Parts parts_;
  SingleFlight<Content> flights_;
  prometheus::Counter& fetched_;
  prometheus::Counter& damaged_;
};

}  // namespace outport::node
