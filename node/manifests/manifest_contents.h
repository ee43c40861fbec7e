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

// Reads the bytes of manifests from the node's own copies (content/<digest>). If the node has no
// copy, fetches the manifest from the store and keeps a copy. Concurrent callers share one fetch.
// Every read checks the digest. Callable from any strand.
class ManifestContents {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    MetaStore& meta;
    BlobStore& blobs;             // on the disk of the copies; reports its free space
    uint64_t headroom_bytes = 0;  // with less free space, the node keeps no new copies
    BlockingPool& pool;
    TaskGroup& tasks;
    Metrics& metrics;
    Log log;
  };
  explicit ManifestContents(Parts parts);

  using Content = std::shared_ptr<const std::string>;  // shared by the callers of one fetch
  // Returns kManifestUnknown if the store does not have the manifest, and kUnavailable if the fetch
  // failed.
  net::awaitable<Result<Content>> Get(const std::string& request_id,
                                      const RepositoryName& repository, const Digest& digest);
  // Returns the node's own copy; nullopt if the node has none. Deletes a corrupt copy. Blocks.
  Result<std::optional<std::string>> FindLocal(const Digest& digest);

 private:
  net::awaitable<Result<Content>> Fetch(std::string request_id, RepositoryName repository,
                                        Digest digest);
  Result<void> Keep(const Digest& digest, const std::string& content);

  const Parts parts_;
  SingleFlight<Content> flights_;
  prometheus::Counter& fetched_;
  prometheus::Counter& corrupt_;
};

}  // namespace outport::node
