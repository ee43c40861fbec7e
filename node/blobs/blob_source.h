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

// A blob to read from the store.
struct BlobRequest {
  RepositoryName repository;
  Digest digest;
  uint64_t size_bytes = 0;  // from the repository's link
  std::string request_id;   // of the client's request that needs the blob; may be empty
};

// Whether a retry of the call to the store may soon succeed.
bool MayRetry(const Error& error);

// Converts a final error of the store for a client. If the store rejects this node (its certificate
// or its membership), this is not the client's fault: the error becomes kUnavailable.
Error ForClient(Error error);

// One ReadBlob call, for one thread, which it blocks. Chunks arrive in order; each is one checksum
// block, and its checksum is checked. Errors are those of the store; kCorrupt if the store's blob
// has another size; kUnavailable if the stream broke or ended early, if a chunk is corrupt, or if
// the store rejects the certificate of the stream after the node has renewed it. After
// kUnavailable, retry from where the stream broke.
class BlobStream {
 public:
  struct Call;
  explicit BlobStream(std::unique_ptr<Call> call);  // made by BlobSource
  ~BlobStream();
  // Returns the next chunk, valid until the next call; empty at the blob's end.
  Result<Bytes> Next();
  // Makes Next() fail. Callable from any thread.
  void Cancel();

 private:
  std::unique_ptr<Call> call_;
};

// One ReadBlob call, for a coroutine. Behaves as BlobStream. gRPC's flow control bounds the memory.
class BlobChannel {
 public:
  struct Call;
  explicit BlobChannel(std::unique_ptr<Call> call);  // made by BlobSource
  ~BlobChannel();
  // As BlobStream::Next. Also kUnavailable if no chunk arrives within `limit`.
  net::awaitable<Result<Bytes>> Next(std::chrono::milliseconds limit);

 private:
  std::unique_ptr<Call> call_;
};

// Reads blobs from the store. Safe for several threads. Outlives its streams.
class BlobSource {
 public:
  // `channels` have their own connections, and are used in turn. `stream_lifetime` bounds a stream
  // that neither ends nor fails.
  BlobSource(const std::vector<std::shared_ptr<StoreChannel>>& channels,
             const FetchMetrics& metrics,
             std::chrono::milliseconds stream_lifetime = std::chrono::minutes(10));
  ~BlobSource();

  // Start a stream from `offset` to the blob's end. They do not block. REQUIRES: `offset` is a
  // multiple of kChecksumBlockBytes.
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
