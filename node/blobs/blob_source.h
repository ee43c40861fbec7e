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

// Names a blob to read from the store, and the request that needs it.
struct BlobRequest {
  RepositoryName repository;
  Digest digest;
  uint64_t size_bytes = 0;  // the size in the repository's link
  std::string request_id;   // the id of the client's request; may be empty
};

// Returns whether a retry of the failed call to the store may soon succeed.
bool MayRetry(const Error& error);

// Converts an error of the store that the node returns to a client. If the store rejects the node's
// certificate or membership, the client must not get that error, which would seem to be about the
// client. The client gets kUnavailable instead.
Error ForClient(Error error);

// One ReadBlob call, for one thread, which the call blocks. Chunks arrive in order. Each chunk is
// one checksum block, and the stream checks its checksum. Next() returns the errors of the store,
// and two of its own. kCorrupt: the store's blob has another size than the link. kUnavailable: the
// stream broke or ended early, a chunk was corrupt, or the store rejected a certificate that the
// node has renewed meanwhile. After kUnavailable, the caller retries with a new stream from the
// first missing byte.
class BlobStream {
 public:
  struct Call;
  explicit BlobStream(std::unique_ptr<Call> call);  // only BlobSource calls this
  ~BlobStream();
  // Returns the next chunk, or no bytes at the blob's end. The bytes are valid until the next call.
  Result<Bytes> Next();
  // Cancels the call, so that Next() fails. Callable from any thread.
  void Cancel();

 private:
  std::unique_ptr<Call> call_;
};

// One ReadBlob call, for a coroutine. Its chunks and errors are those of BlobStream. gRPC's flow
// control bounds the memory.
class BlobChannel {
 public:
  struct Call;
  explicit BlobChannel(std::unique_ptr<Call> call);  // only BlobSource calls this
  ~BlobChannel();
  // Does what BlobStream::Next() says. Also returns kUnavailable if no chunk arrives within
  // `limit`.
  net::awaitable<Result<Bytes>> Next(std::chrono::milliseconds limit);

 private:
  std::unique_ptr<Call> call_;
};

// Reads blobs from the store. Safe for several threads. The source outlives its streams.
class BlobSource {
 public:
  // Each of `channels` has its own connection; the streams use them in turn. A BlobStream that
  // lasts longer than `stream_lifetime` fails.
  BlobSource(const std::vector<std::shared_ptr<StoreChannel>>& channels,
             const FetchMetrics& metrics,
             std::chrono::milliseconds stream_lifetime = std::chrono::minutes(10));
  ~BlobSource();

  // These two methods start a stream from `offset` to the blob's end. They do not block. REQUIRES:
  // `offset` is a multiple of kChecksumBlockBytes.
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
