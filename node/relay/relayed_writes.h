#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "node/freshness/resolver.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/push.grpc.pb.h"
#include "registry/base/blocking_pool.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "registry/base/slots.h"
#include "registry/service/registry.h"

namespace outport::node {

// Relays a node's writes to the store, with the user's own credentials, and answers after the
// store's commit. The store keeps the upload sessions, so that any node can continue them. When a
// client has the answer, its write is visible at this node: the answer waits until the replica has
// applied the write, and if that takes too long, the write goes into the overlay. Callable from any
// strand.
class RelayedWrites {
 public:
  struct Limits {
    // The maximum number of bodies in progress. Each body buffers two parts. A part has 1 MiB while
    // at most `wide` bodies are in progress, otherwise 128 KiB.
    size_t bodies = 512;
    size_t wide = 16;
    std::chrono::milliseconds catch_up{1000};  // the time that an answer waits for the replica
  };
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    std::vector<std::shared_ptr<StoreChannel>> body_channels;  // shared with other callers, too
    Replica& replica;
    Resolver& resolver;
    BlockingPool& pool;  // parses manifests
    const Clock& clock;
    Metrics& metrics;
    std::function<bool()> store_is_connected;  // callable from any thread; does not block
    Limits limits = {};
  };
  explicit RelayedWrites(Parts parts);

  // See the methods of Registry. Each returns kUnavailable if the store is unreachable or the call
  // breaks. If the call breaks, the store may or may not have committed the write.
  net::awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body);
  net::awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Reference& reference);
  net::awaitable<Result<Deleted>> DeleteBlob(const Caller& caller, const RepositoryName& repository,
                                             const Digest& digest);
  // Mounts a blob. The store checks by the user's grants whether the user may see the blob.
  net::awaitable<Result<PushedBlob>> MountBlob(const Caller& caller,
                                               const RepositoryName& repository,
                                               const Digest& digest,
                                               const std::optional<RepositoryName>& from);
  net::awaitable<Result<UploadStatus>> StartUpload(const Caller& caller,
                                                   const RepositoryName& repository,
                                                   DigestAlgorithm algorithm);
  net::awaitable<Result<UploadStatus>> StatUpload(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const std::string& id);
  net::awaitable<Result<UploadStatus>> AppendUpload(const Caller& caller,
                                                    const RepositoryName& repository,
                                                    const std::string& id,
                                                    std::optional<ByteRange> range,
                                                    ByteSource& body);
  net::awaitable<Result<PushedBlob>> FinishUpload(const Caller& caller,
                                                  const RepositoryName& repository,
                                                  const std::string& id,
                                                  std::optional<ByteRange> range,
                                                  const Digest& digest, ByteSource& body);
  net::awaitable<Result<void>> CancelUpload(const Caller& caller, const RepositoryName& repository,
                                            const std::string& id);

 private:
  // Counts the result of a write, and returns it.
  template <class Response>
  Result<Response> Record(Result<Response> response);
  // Makes a unary call and counts its result.
  template <class Response, class Request, class Method>
  net::awaitable<Result<Response>> Call(const Caller& caller, Method method, Request request);
  net::awaitable<Result<v1::UploadAnswer>> Upload(const Caller& caller,
                                                  v1::UploadPart::Header header, ByteSource& body);
  // Returns the media type of a manifest that the store has accepted: `type`, that of the request,
  // or else the one in `body`. Returns an empty text if the pool is full.
  net::awaitable<std::string> MediaTypeOf(std::string type, std::string body);
  // Waits until the replica has passed `position`, where a write committed, and returns true. If
  // that takes longer than Limits::catch_up, puts `content` into the overlay as the answer to each
  // question, and returns false. nullopt as `content` means that the write deleted it. `asked` is a
  // time before the write began.
  net::awaitable<bool> MakeVisible(v1::Position position, std::vector<ResolveQuestion> questions,
                                   std::optional<ResolveAnswer::Content> content,
                                   std::chrono::nanoseconds asked);

  const Parts parts_;
  std::atomic<size_t> next_channel_ = 0;
  prometheus::Counter& done_;
  prometheus::Counter& rejected_;
  prometheus::Counter& failed_;
  prometheus::Counter& sent_bytes_;
  prometheus::Counter& behind_;
  Slots bodies_;
};

}  // namespace outport::node
