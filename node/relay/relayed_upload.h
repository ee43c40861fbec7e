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

// Relays one request's body to the store, as a stream of parts. It starts to read from the client
// when the store grants the first bytes. It buffers two parts: while it sends one part, it fills
// the next part. When the store ends the stream, it stops reading from the client. If the client
// disconnects, the store receives a truncated body and keeps the bytes that have arrived. For one
// coroutine on a strand.
class RelayedUpload {
 public:
  struct Parts {
    std::shared_ptr<StoreChannel> channel;  // shared with other calls
    prometheus::Counter& sent_bytes;
    std::string request_id;
    size_t part_bytes = 0;             // at most 1 MiB
    bool wait_for_connection = false;  // true if the store seems reachable
  };
  // `body` outlives this object.
  RelayedUpload(Parts parts, ByteSource& body);

  // Returns the store's answer after the store's commit. Fails with the store's error, with the
  // body's error, or with kUnavailable if the store is unreachable or the stream breaks. Wipes the
  // password in `header`. REQUIRES: called once.
  net::awaitable<Result<v1::UploadAnswer>> Run(v1::UploadPart::Header header);

 private:
  using Stream = rpc::ClientStream<v1::UploadPart, v1::UploadAnswer>;

  // Reads the store's messages until the stream ends.
  net::awaitable<void> Listen();
  // Sends the header, the body and the message that ends the body. Then waits for the end of the
  // stream.
  net::awaitable<void> Send(v1::UploadPart::Header header);
  net::awaitable<void> SendBody();
  // Fills one part from the body. If the client is slow, the part is shorter.
  net::awaitable<void> Fill(v1::UploadPart& part);
  net::awaitable<bool> Write(const v1::UploadPart& part);
  // Waits until the store has granted `bytes` of the body, or the stream has ended. Cancels the
  // stream after `limit`.
  net::awaitable<void> AwaitGrant(uint64_t bytes, std::chrono::milliseconds limit);
  net::awaitable<void> AwaitEnd(std::chrono::milliseconds limit) {
    return AwaitGrant(UINT64_MAX, limit);
  }

  const Parts parts_;
  ByteSource& body_;
  const std::shared_ptr<StoreStubs> store_;
  Stream stream_;
  std::array<v1::UploadPart, 2> to_send_;

  // The members below are used on the caller's strand.
  Notifier changed_;
  uint64_t granted_ = 0;  // bytes of the body that the store has granted so far
  uint64_t sent_ = 0;
  bool ended_ = false;      // the stream has ended
  bool truncated_ = false;  // the store knows that the body is truncated
  std::optional<v1::UploadAnswer> answer_;
  bool body_done_ = false;
  std::optional<Error> body_error_;
};

}  // namespace outport::node
