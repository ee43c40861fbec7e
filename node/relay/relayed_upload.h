#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "node/upstream/store_channel.h"
#include "outport/v1/push.grpc.pb.h"
#include "registry/base/metrics.h"
#include "registry/base/notifier.h"
#include "registry/rpc/stream.h"
#include "registry/service/registry.h"

namespace outport::node {

// One request's body on its way to the store, as a stream of parts. The client's bytes are asked
// for when the store has said that it goes on; while one part is sent the next one fills, and no
// more is held. When the store ends the stream, the client is listened to no longer. A client that
// leaves cuts the body at the store, which keeps what came before. For one coroutine on a strand.
class RelayedUpload {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with other calls
    prometheus::Counter& sent_bytes;
    std::string request_id;
    size_t part_bytes = 0;             // at most 1 MiB
    bool wait_for_connection = false;  // the store is there, as far as is known
  };
  // `body` outlives it.
  RelayedUpload(Parts parts, ByteSource& body);

  // The store's answer once it has committed. kUnavailable if the store cannot be reached, or is
  // lost on the way; else its own refusal, or the body's error. Called once.
  net::awaitable<Result<v1::UploadAnswer>> Run(v1::UploadPart::Header header);

 private:
  using Stream = rpc::ClientStream<v1::UploadPart, v1::UploadAnswer>;

  // Until the store has ended the stream.
  net::awaitable<void> Listen();
  // The header, the body and its end; then until the stream has ended.
  net::awaitable<void> Send(v1::UploadPart::Header header);
  net::awaitable<void> SendBody();
  // A part's worth of the body, or less if the client is slow.
  net::awaitable<void> Fill(v1::UploadPart& part);
  net::awaitable<bool> Write(const v1::UploadPart& part);
  // Until the stream has ended, or that much of the body may be sent; past the limit the stream is
  // ended.
  net::awaitable<void> AwaitGrant(uint64_t bytes, std::chrono::milliseconds limit);
  net::awaitable<void> AwaitEnd(std::chrono::milliseconds limit) {
    return AwaitGrant(UINT64_MAX, limit);
  }

  const Parts parts_;
  ByteSource& body_;
  const std::shared_ptr<StoreStubs> store_;
  Stream stream_;
  std::array<v1::UploadPart, 2> to_send_;

  // On the caller's strand.
  Notifier changed_;
  uint64_t granted_ = 0;  // bytes of the body that the store wants so far
  uint64_t sent_ = 0;
  bool ended_ = false;  // the stream
  bool cut_ = false;    // the store was told that the body was cut
  std::optional<v1::UploadAnswer> answer_;
  bool body_done_ = false;
  std::optional<Error> body_error_;
};

}  // namespace outport::node
