#pragma once

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "node/blobs/fetch_metrics.h"
#include "node/upstream/store_channel.h"
#include "registry/base/bytes.h"
#include "registry/base/result.h"
#include "registry/oci/digest.h"
#include "registry/oci/name.h"

namespace outport::node {

namespace net = boost::asio;

// Which blob is read from the store, and for whom.
struct BlobRequest {
  RepositoryName repository;
  Digest digest;
  uint64_t size_bytes = 0;  // what the repository's link says
  std::string request_id;   // of the client's request that caused it; may be empty
};

// Whether the same question to the store may get a better answer soon.
bool MayRetry(const Error& error);

// What a client is told of an answer that is final: that the store refuses this node (its
// certificate, its place in the fleet) is not the client's fault, so that is kUnavailable.
Error ForClient(Error error);

// One ReadBlob call, read by one thread that it blocks. Chunks come in order, each a checksum block
// and checked. Errors: the store's own, kCorrupt where the store's blob has another size,
// kUnavailable for a stream that broke, ended early, brought a damaged chunk, or began before the
// node's certificate was renewed and is refused since: worth another try from where it broke.
class BlobStream {
 public:
  struct Call;
  explicit BlobStream(std::unique_ptr<Call> call);  // made by BlobSource
  ~BlobStream();
  // Valid until the next call; empty at the blob's end.
  Result<Bytes> Next();
  // Makes Next() fail; any thread.
  void Cancel();

 private:
  std::unique_ptr<Call> call_;
};

// The same for a coroutine: gRPC's flow control bounds what waits in memory.
class BlobChannel {
 public:
  struct Call;
  explicit BlobChannel(std::unique_ptr<Call> call);  // made by BlobSource
  ~BlobChannel();
  // kUnavailable if nothing comes for `limit`, too.
  net::awaitable<Result<Bytes>> Next(std::chrono::milliseconds limit);

 private:
  std::unique_ptr<Call> call_;
};

// The store, as a source of blobs. Safe for several threads. Outlives its streams.
class BlobSource {
 public:
  // `channels`: with connections of their own, used in turn. `stream_lifetime` ends a stream that
  // neither comes to an end nor fails.
  BlobSource(const std::vector<std::shared_ptr<StoreChannel>>& channels,
             const FetchMetrics& metrics,
             std::chrono::milliseconds stream_lifetime = std::chrono::minutes(10));
  ~BlobSource();

  // From `offset`, a multiple of the checksum block, to the blob's end. Neither blocks.
  std::unique_ptr<BlobStream> Read(const BlobRequest& request, uint64_t offset);
  std::unique_ptr<BlobChannel> Subscribe(const BlobRequest& request, uint64_t offset);

 private:
  const std::shared_ptr<StoreChannel>& NextChannel();

  const std::vector<std::shared_ptr<StoreChannel>> channels_;
  const FetchMetrics& metrics_;
  const std::chrono::milliseconds stream_lifetime_;
  std::atomic<size_t> next_ = 0;
};

}  // namespace outport::node
