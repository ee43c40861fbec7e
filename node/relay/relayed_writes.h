#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "node/freshness/resolver.h"
#include "node/upstream/store_channel.h"
#include "outport/v1/push.grpc.pb.h"
#include "registry/base/clock.h"
#include "registry/base/metrics.h"
#include "registry/base/slots.h"
#include "registry/service/registry.h"

namespace outport::node {

// A node's writes: the store does them, with the user's own credentials, and they are answered when
// it has committed. Upload sessions live at the store, so that any node goes on with them. What was
// written is seen at this node from then on: the answer waits a little until the replica has passed
// it, and if that takes longer it is laid over the replica. Callable from any strand.
class RelayedWrites {
 public:
  struct Limits {
    // Bodies at once. Each has two parts: of 1 MiB for the first `wide` of them, of 128 KiB beyond.
    size_t bodies = 512;
    size_t wide = 16;
    std::chrono::milliseconds catch_up{1000};  // an answer waits this long for the replica
  };
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with the other callers of the store
    std::vector<std::shared_ptr<StoreChannel>> body_channels;  // the same
    Replica& replica;
    Resolver& resolver;
    const Clock& clock;
    Metrics& metrics;
    std::function<bool()> store_is_connected;  // from any thread; does not block
    Limits limits = {};
  };
  explicit RelayedWrites(Parts parts);

  // As Registry's methods. kUnavailable where the store cannot be reached, or is lost on the way:
  // whether it has committed is not known then.
  net::awaitable<Result<PushedManifest>> PutManifest(
      const Caller& caller, const RepositoryName& repository, const Reference& reference,
      const std::string& content_type, const std::vector<Tag>& tags, std::string body);
  net::awaitable<Result<Deleted>> DeleteManifest(const Caller& caller,
                                                 const RepositoryName& repository,
                                                 const Reference& reference);
  net::awaitable<Result<Deleted>> DeleteBlob(const Caller& caller, const RepositoryName& repository,
                                             const Digest& digest);
  // The store asks the user's own grants what is visible.
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
  // Counts what came of a write, and returns it.
  template <class Response>
  Result<Response> Record(Result<Response> response);
  // A unary call, counted.
  template <class Response, class Request, class Method>
  net::awaitable<Result<Response>> Call(const Caller& caller, Method method, Request request);
  net::awaitable<Result<v1::UploadAnswer>> Upload(const Caller& caller,
                                                  v1::UploadPart::Header header, ByteSource& body);
  // Waits until the replica has passed `position`, where a write committed; true if it has. After
  // Limits::catch_up, puts `content` into the overlay as the answer to each question (nullopt: the
  // write deleted it), and returns false. `asked`: a time before the write began.
  net::awaitable<bool> Settle(v1::Position position, std::vector<ResolveQuestion> questions,
                              std::optional<ResolveAnswer::Content> content,
                              std::chrono::nanoseconds asked);

  const Parts parts_;
  std::atomic<size_t> next_channel_ = 0;
  prometheus::Counter& done_;
  prometheus::Counter& refused_;
  prometheus::Counter& failed_;
  prometheus::Counter& sent_bytes_;
  prometheus::Counter& behind_;
  Slots bodies_;
};

}  // namespace outport::node
